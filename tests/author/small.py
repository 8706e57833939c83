"""Small rule files for the checks of ``check``, and what these found in short."""

HEAD = "rules:\n  hello:\n    purpose: service\n    when:\n      enters: tag cafe\n    message:\n      title: Hi\n"
OTHER = HEAD.replace("hello", "other")


def told(findings):
    return [(f.code, f.line, f.column, f.severity) for f in findings]


def lines(*only_if, unless=()):
    text = HEAD + "    only_if:\n" + "".join(f"      - {line}\n" for line in only_if)
    return text + ("    unless:\n" + "".join(f"      - {line}\n" for line in unless) if unless else "")


def pair(first="", second="", head=HEAD, other=OTHER):
    return head + first + other.removeprefix("rules:\n") + second


def titled(title, *only_if, when="enters: tag cafe"):
    text = HEAD.replace("title: Hi", f"title: {title}").replace("enters: tag cafe", when)
    return text + ("    only_if:\n" + "".join(f"      - {line}\n" for line in only_if) if only_if else "")
