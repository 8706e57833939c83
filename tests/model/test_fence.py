"""Shapes: whatever way their vertices came they are kept packed, are equal, and read back as they were."""

import gc
import sys

import msgspec
import pytest

from engine.model.fence import Circle, Corridor, Fence, Polygons, first, packed, unpacked

RING = ((13.4, 52.5), (13.5, 52.5), (13.5, 52.6), (13.4, 52.5))
HOLE = ((13.46, 52.51), (13.47, 52.51), (13.47, 52.52), (13.46, 52.51))


def test_a_polygon_of_pairs_and_one_of_packed_vertices_are_the_same():
    drawn, kept = Polygons(((RING, HOLE),)), Polygons(((packed(RING), packed(HOLE)),))
    assert drawn == kept
    assert hash(drawn) == hash(kept)
    assert kept.parts == ((RING, HOLE),)
    assert drawn.rings == ((packed(RING), packed(HOLE)),)
    assert drawn != Polygons(((HOLE, RING),))


def test_a_corridor_is_kept_the_same_way():
    assert Corridor(RING, 30.0) == Corridor(packed(RING), 30.0)
    assert Corridor(packed(RING), 30.0).line == RING


@pytest.mark.parametrize("shape", [Circle(1.0, 2.0, 3.0), Polygons(((RING, HOLE), (HOLE,))), Corridor(RING, 5.0)])
def test_a_fence_survives_the_store(shape):
    fence = Fence("f", shape, "F", ("a",), metadata={"k": [1]})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(fence), type=Fence) == fence


def test_fences_stored_as_pairs_are_read():
    rings = [[list(map(list, RING))]]
    old = {"id": "f", "shape": {"type": "polygons", "parts": rings}}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Fence) == Fence("f", Polygons(((RING,),)))
    old = {"id": "f", "shape": {"type": "corridor", "line": rings[0][0], "radius": 2.0}}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Fence) == Fence("f", Corridor(RING, 2.0))


def test_stored_bytes_that_are_no_vertices_are_refused():
    torn = {"type": "corridor", "line": packed(RING)[:-3], "radius": 2.0}
    with pytest.raises(msgspec.ValidationError, match="vertices are pairs of doubles"):
        msgspec.msgpack.decode(msgspec.msgpack.encode({"id": "f", "shape": torn}), type=Fence)


def test_vertices_are_packed_to_the_bit():
    odd = ((-0.0, 5e-324), (1e308, -179.99999999999997))
    assert [str(number) for pair in unpacked(packed(odd)) for number in pair] == [str(n) for pair in odd for n in pair]
    assert unpacked(packed(())) == ()


def test_a_shape_begins_with_its_first_vertex():
    assert first(Circle(1.0, 2.0, 3.0)) == (1.0, 2.0)
    assert first(Polygons(((RING,), (HOLE,)))) == first(Corridor(RING, 1.0)) == RING[0]
    assert first(Polygons(())) == first(Polygons(((),))) == first(Corridor((), 1.0)) == (0.0, 0.0)


def test_a_vertex_takes_sixteen_bytes():
    line = tuple((k / 7.0, k / 9.0) for k in range(1000))
    assert sys.getsizeof(Polygons(((line,),)).rings[0][0]) < 16 * 1000 + 64


def test_fences_without_facts_share_one_empty_mapping():
    one, two = Fence("a", Circle(1.0, 2.0, 3.0)), Fence("b", Circle(1.0, 2.0, 3.0))
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(two), type=Fence)
    assert one.metadata == {}
    assert one.metadata is two.metadata is stored.metadata


def test_the_cycle_collector_looks_at_no_fence_and_at_no_mapping_of_them():
    fences = {f"f{k}": Fence(f"f{k}", Polygons(((RING,),)), tags=("a",), metadata={"k": k}) for k in range(3)}
    assert not any(gc.is_tracked(fence) or gc.is_tracked(fence.shape) for fence in fences.values())
    assert not gc.is_tracked(fences)
