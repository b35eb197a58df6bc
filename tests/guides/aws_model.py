"""The AWS command line as botocore's service models describe it: services, operations, parameters, values."""

import json
from functools import cache

from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.session import Session
from botocore.validate import ParamValidator

GLOBAL = {"region", "profile", "output", "query"}
ALIASES = {"s3api": "s3"}
# Commands that the command line adds to the services' own, with their options.
ADDED = {
    "configure export-credentials": {"format"},
    "ecr get-login-password": set(),
    "eks update-kubeconfig": {"name", "alias"},
    "logs tail": {"since", "follow"},
    "s3 cp": {"recursive", "dryrun"},
    "s3 sync": {"exclude", "include", "dryrun", "delete"},
    "s3 ls": {"recursive"},
}


# Parameters that the command line calls otherwise than the service does.
RENAMED = {"sns subscribe": {"notification-endpoint": "endpoint"}}
# How the text of a value is read, by the kind of its shape; any other is text.
READ = {
    "integer": int,
    "long": int,
    "blob": str.encode,
    "boolean": {"true": True, "false": False}.__getitem__,
}


@cache
def service(name):
    session = Session()
    name = ALIASES.get(name, name)
    assert name in session.get_available_services(), f"aws {name}: there is no such service"
    return session.get_service_model(name), session.get_waiter_model


def options(words):
    """Options of a command line with their values; what stands alone, by itself."""
    found, alone = {}, []
    for word in words:
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            found[name] = [value] if given else []
        elif found:
            list(found.values())[-1].append(word)
        else:
            alone.append(word)
    return found, alone


def check(words):
    """Assert that `aws …` exists with these options and that their values have the right form."""
    name, operation, *rest = words
    given, alone = options(rest)
    given = {option: values for option, values in given.items() if option not in GLOBAL}
    if f"{name} {operation}" in ADDED:
        unknown = set(given) - ADDED[f"{name} {operation}"]
        assert not unknown, f"aws {name} {operation}: no option {sorted(unknown)}"
        return
    if operation == "wait":
        operation = _waited_for(name, alone.pop(0))
    assert not alone, f"aws {name} {operation}: {alone} belong to no option"
    model = _operation(name, operation)
    members = {
        xform_name(member, "-"): (member, shape) for member, shape in model.input_shape.members.items()
    }
    renamed = RENAMED.get(f"{name} {operation}", {})
    assert not set(given) & set(renamed.values()), f"aws {name} {operation}: it is called {sorted(renamed)}"
    parameters = {}
    for option, values in given.items():
        option = renamed.get(option, option)  # noqa: PLW2901 - the service's own name for it
        positive = option.removeprefix("no-")
        assert option in members or positive in members, f"aws {name} {operation}: no option --{option}"
        member, shape = members.get(option) or members[positive]
        parameters[member] = _value(shape, values, f"aws {name} {operation} --{option}")
    report = ParamValidator().validate(parameters, model.input_shape)
    if report.has_errors():
        raise AssertionError(str(ParamValidationError(report=report.generate_report())))


def _operation(name, operation):
    model, _ = service(name)
    known = {xform_name(known, "-"): known for known in model.operation_names}
    assert operation in known, f"aws {name} {operation}: there is no such operation"
    return model.operation_model(known[operation])


def _waited_for(name, waiter):
    _, waiters = service(name)
    model = waiters(ALIASES.get(name, name))
    known = {xform_name(known, "-"): known for known in model.waiter_names}
    assert waiter in known, f"aws {name} wait {waiter}: there is nothing like that to wait for"
    return xform_name(model.get_waiter(known[waiter]).operation, "-")


def _value(shape, values, where):
    kind = shape.type_name
    if kind == "boolean" and not values:
        return True
    assert values, f"{where}: without a value"
    if kind == "list":
        if len(values) == 1 and values[0].startswith("["):
            return json.loads(values[0])
        return [_value(shape.member, [value], where) for value in values]
    (value,) = values
    if kind in ("structure", "map"):
        return json.loads(value) if value.startswith("{") else _shorthand(shape, value, where)
    allowed = getattr(shape, "enum", None)
    assert not allowed or value in allowed, f"{where}: {value} is none of {allowed}"
    return READ.get(kind, str)(value)


def _shorthand(shape, text, where):
    """`a=1,b={c=2},d=[x,y]`, the command line's own short form."""
    made = {}
    for part in _split(text):
        key, _, value = part.partition("=")
        assert key in shape.members, f"{where}: {key} is none of {sorted(shape.members)}"
        member = shape.members[key]
        if value.startswith("{"):
            made[key] = _shorthand(member, value[1:-1], where)
        else:
            made[key] = _value(member, _split(value[1:-1]) if value.startswith("[") else [value], where)
    return made


def _split(text):
    parts, depth = [""], 0
    for char in text:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
