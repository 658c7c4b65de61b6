"""First use: the data folder with its database, a configuration file, the first user."""

from importlib.resources import files
from pathlib import Path

from b2bua.addresses import Addresses
from b2bua.config import Config, load
from b2bua.control.administration import change_offline
from b2bua.control.messages import AddExtension, AddUser
from b2bua.datadir import DataFolder
from b2bua.errors import ConfigError, DataFolderError
from b2bua.passwords import new_password
from cdr.errors import CdrError
from cdr.store import prepare
from web.passwords import hash_password

ADMIN = "admin"

SAMPLES = (("101", "Ada"), ("102", "Ben"))


def initialise(data: DataFolder, config: Path | None, *, sample: bool, actor: str) -> list[str]:
    """Create what is missing and return what to tell the operator."""
    if data.database.exists():
        raise DataFolderError(f"{data.path} is in use already; nothing was changed")
    with data.locked():
        lines = [_write_config(data)] if config is None else []
        try:
            prepare(data.database)
        except CdrError as error:
            raise DataFolderError(str(error)) from error
    settings = load(config if config is not None else data.config_file)
    lines.append(f"data folder: {data.path}")
    if sample:
        for number, name in SAMPLES:
            password = new_password()
            request = AddExtension(
                number=number, name=name, password=password, mode="automatic", opt_in=True
            )
            change_offline(data, settings.sip.realm, request, actor)
            lines.append(f"extension {number} ({name}), password: {password}")
    lines += _first_user(data, settings, actor)
    address = Addresses(settings.sip).contact
    transports = ", ".join(name.upper() for name in settings.sip.transports)
    lines.append(f"SIP address for telephones: {address} ({transports})")
    if settings.web.enabled:
        lines.append(f"pages: http://{settings.web.listen}")
    return lines


def _first_user(data: DataFolder, settings: Config, actor: str) -> list[str]:
    """Make the administrator of the pages; his password is shown this once."""
    password = new_password()
    request = AddUser(name=ADMIN, password_hash=hash_password(password), role="admin")
    change_offline(data, settings.sip.realm, request, actor)
    return [f"user {ADMIN} (administrator of the pages), password: {password}"]


def _write_config(data: DataFolder) -> str:
    if not data.config_file.exists():
        try:
            data.config_file.write_text(_commented_config(), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{data.config_file}: {error.strerror}") from error
    return f"configuration: {data.config_file}"


def _commented_config() -> str:
    """Return `deploy/mitschnitt.toml`, which a wheel carries inside the package."""
    packaged = files("b2bua").joinpath("mitschnitt.toml")
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    in_the_clone = Path(__file__).parents[1] / "deploy" / "mitschnitt.toml"
    return in_the_clone.read_text(encoding="utf-8")
