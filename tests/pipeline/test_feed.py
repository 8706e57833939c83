"""Live news: one watcher that does not keep up is nobody else's trouble."""

from engine.pipeline.feed import Feed


def test_a_watcher_that_does_not_keep_up_loses_the_oldest_and_no_other_watcher_loses_anything() -> None:
    feed = Feed(size=3)
    with feed.subscribe("moments") as slow, feed.subscribe("moments") as quick:
        seen = []
        for n in range(5):
            feed.publish("moments", n)
            seen.append(quick.get_nowait())
        assert seen == [0, 1, 2, 3, 4]
        assert [slow.get_nowait() for _ in range(3)] == [2, 3, 4]
        assert feed.dropped == 2


def test_nobody_is_watched_after_he_left() -> None:
    feed = Feed()
    with feed.subscribe("moments"):
        assert feed.watched("moments")
    assert not feed.watched("moments")
    feed.publish("moments", 1)
