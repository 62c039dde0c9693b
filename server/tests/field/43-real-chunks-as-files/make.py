import os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import kit
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE

# As 41, with what a Chromium really handed over: seven chunks of one recording, 60 ms packets.
FIXTURES = os.path.join(HERE, '../../../../media/tests/fixtures')
chunks = [open(os.path.join(FIXTURES, 'a_opus.%03d.chunk' % i), 'rb').read() for i in range(7)]
m = kit.read_webm(b''.join(chunks))
a = [kit.pkt('audio', p['t'], kit.opus_ms(p['data']), True, p['data']) for p in m['packets']]
end = a[-1].t + a[-1].dur - a[0].t
kept = {'packets_out': len(a), 'rigid_ms': 2, 'same_time_max': 1, 'duration_ms': [end - 2, end + 2]}
entry = m['tracks'][m['order'][0]]
kit.write(OUT, {'chunk.%03d.webm' % i: c for i, c in enumerate(chunks)}, [kit.group('recording', a)], {
    'class': 'E', 'title': 'the chunks of one real recording as files',
    'right': [{'name': 'kept', 'exit': 0, **kept},
              {'name': 'refused', 'exit': 'nonzero', 'no_output': True, 'says': 'header|chunk|one recording|beginning'}],
    'session': {'runs': [['chunk.%03d.webm' % i for i in range(len(chunks))]], 'right': [{'name': 'kept', 'left_out': 0, **kept}]}},
    ideal=kit.ideal_webm([kit.el(0xAE, entry['entry'])], {'audio': entry['num']}, [a]))
