"""Consent: by purpose, by channel, or by both (``marketing.push``). Nothing said means yes; one no is a no."""

from engine.model.person import Profile

TRANSACTIONAL = "transactional"


def consent_ok(profile: Profile, purpose: str, channel: str) -> bool:
    """Whether this person may be told something for this purpose on this channel."""
    consent = profile.consent
    return not consent or all(consent.get(key, True) for key in (purpose, channel, f"{purpose}.{channel}"))
