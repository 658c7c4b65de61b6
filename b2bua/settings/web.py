"""`[web]`: the pages and the HTTP API."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from b2bua.settings.section import Section
from b2bua.settings.values import numeric, web_host_port
from sip.address import HostPort


class WebConfig(Section):
    """`[web]`: the pages and the HTTP API."""

    enabled: bool = True
    listen: Annotated[HostPort, BeforeValidator(web_host_port)] = HostPort("127.0.0.1", 8080)
    "The pages are for people of the house: other addresses only where the operator says so."
    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+)?$")
    "As browsers see us, where a proxy stands in front."
    proxies: tuple[Annotated[str, AfterValidator(numeric)], ...] = ()
    "Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."
    open_metrics: bool = False
    "`/metrics` without a token."
    session_idle_s: int = Field(default=3600, ge=60, le=30 * 86400)
    session_s: int = Field(default=12 * 3600, ge=60, le=30 * 86400)
    "In any case a new login after so long: a working day."
