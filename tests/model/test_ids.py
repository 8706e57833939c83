"""Ids come from content alone."""

from hashlib import blake2b

from engine.model.ids import moment_id, notification_id, share


def test_a_moment_id_is_a_hash_of_person_rule_and_trigger():
    expected = blake2b(b"p\x1fr\x1ft", digest_size=16).hexdigest()
    assert moment_id("p", "r", "t") == f"mom_{expected}"
    assert (
        len({moment_id("p", "r", "t"), moment_id("pr", "", "t"), moment_id("r", "p", "t"), moment_id("p", "r", "u")})
        == 4
    )


def test_a_notification_id_is_a_hash_of_moment_and_channel():
    assert notification_id("m", "push") == "ntf_" + blake2b(b"m\x1fpush", digest_size=16).hexdigest()


def test_any_text_has_an_id():
    assert moment_id("é🙂", "\ud800", "") != moment_id("é🙂", "", "\ud800")


def test_shares_are_even_stable_and_below_one():
    shares = [share("salt", "rule", f"p{i}") for i in range(4000)]
    assert all(0 <= s < 1 for s in shares)
    assert all(900 < sum(1 for s in shares if q / 4 <= s < (q + 1) / 4) < 1100 for q in range(4))
    assert share("salt", "rule", "p0") == shares[0] != share("pepper", "rule", "p0")
