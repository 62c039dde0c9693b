import os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import kit
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE

# A recorded screen on which nothing moves: pictures at 0 s, 0.1 s, 47 s and 95 s, more than a block's 32.7 s from their
# cluster, and a key picture only at the beginning. A second run follows.
v, _ = kit.picture(0.4, gop=100)
times = [0, 100, 47000, 95000]
v = [p._replace(t=float(t), dur=100.0) for p, t in zip(v, times)]
w, _ = kit.picture(1.0, pattern='testsrc')
entry = kit.track_entry(1, 'video', 'V_VP8', w=64, h=48)
n = {'video': 1}
one = kit.webm_header([entry]) + b''.join(kit.clusters(v, n, every=10 ** 9))
two = kit.webm_header([entry]) + b''.join(kit.clusters(w, n))
kept = {'packets_out': len(v) + len(w), 'rigid_ms': 2, 'join_ms': [-101, 1000]}
kit.write(OUT, {'one.webm': one, 'two.webm': two}, [kit.group('still screen', v), kit.group('run 2', w)], {
    'class': 'N', 'title': 'a screen that stands still', 'right': [{'name': 'kept', 'exit': 0, **kept}]}, ideal=kit.ideal_webm([entry], n, [v, w]))
