import os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import kit
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE

# The sound's first fragment begins before 0: its decode time is written as a 64-bit number that has wrapped around.
v, entry = kit.picture(3.0, codec='h264', extra=['-bf', '0'])
a = kit.sound(3.0, 440, start=-40.0)
ta = {'id': 1, 'kind': 'audio', 'scale': 48000, 'entry': kit.opus_entry()}
tv = {'id': 2, 'kind': 'video', 'scale': 30000, 'entry': entry, 'w': 64, 'h': 48}
ps = kit.merge(a, v)
run = kit.mp4_init([ta, tv]) + b''.join(kit.fragments(ps, [ta, tv], every=1040))
kept = {'packets_out': len(ps), 'rigid_ms': 2}
kit.write(OUT, {'run.mp4': run}, [kit.group('run', ps)], {
    'class': 'A', 'title': 'a fragment that begins before 0',
    'right': [{'name': 'kept', 'exit': 0, **kept}, {'name': 'told', 'exit': 'nonzero', 'packets_out': [1, len(ps)], 'groups': []}],
    'session': {'runs': [['run.mp4']], 'kind': 'camera', 'mime': 'video/mp4',
                'right': [{'name': 'kept', 'left_out': 0, **kept}, {'name': 'told', 'left_out': '>0', 'chunks': 'kept', 'groups': []}]}},
    ideal=kit.ideal_mp4([ta, tv], [ps]))
