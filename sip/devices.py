"""Which registrations are of one telephone, and in which order its flows are tried.

- **Anew.** A new Contact with the same `+sip.instance` and `reg-id` replaces the old one
  (RFC 5626, section 6; here also where both lack a `reg-id`). So does one of another Call-ID
  from the same socket whose Contact is the same but for its parameters: a phone that started
  anew. Another user or another instance is another account of the phone, and stands beside it.
- **Several flows.** A device that keeps them (RFC 5626) is rung over one of them, the one that
  it refreshed last. Where that one has failed, which a proxy says by 430, the next one serves.
"""

from collections.abc import Iterable

from sip.binding import Binding
from sip.message import URI, parse_uri


def successor(old: Binding, new: list[Binding]) -> Binding | None:
    """Return what the device of a binding has registered instead."""
    found = (each for each in new if _same_instance(old, each) or _same_socket(old, each))
    return next(found, None)


def device_of(binding: Binding) -> tuple[str, str]:
    """Return what is the same about a device when it comes again."""
    return binding.aor, binding.instance or binding.contact


def _same_instance(old: Binding, new: Binding) -> bool:
    return old.instance is not None and (old.instance, old.reg_id) == (new.instance, new.reg_id)


def _same_socket(old: Binding, new: Binding) -> bool:
    """Tell whether a phone that restarted wrote other parameters into its Contact.

    Behind a proxy (Path) the source is the proxy's for every phone, so it proves nothing.
    """
    if old.call_id == new.call_id or old.path is not None or new.path is not None:
        return False
    if old.instance is not None and new.instance is not None:
        return False
    source = (old.flow.transport, old.flow.remote) == (new.flow.transport, new.flow.remote)
    before, after = parse_uri(old.contact), parse_uri(new.contact)
    return source and _address(before) == _address(after)


def _address(uri: URI) -> tuple[str | None, str, int | None]:
    return uri.user, uri.host.lower(), uri.port


def first_flows(bindings: Iterable[Binding]) -> tuple[tuple[Binding, ...], ...]:
    """Put the flows of each device together, in the order in which to try them.

    `bindings` in the order of `Registrar.bindings`. See :rfc:`5626#section-7`.
    """
    devices: dict[object, list[Binding]] = {}
    for binding in bindings:
        several = binding.instance is not None and binding.reg_id is not None
        devices.setdefault(binding.instance if several else binding.contact, []).append(binding)
    return tuple(tuple(flows) for flows in devices.values())
