#!/usr/bin/env python3
"""Proves that check.py can say both things.

    python3 prove.py [FOLDER ...]      default: every folder beside this file

For each case a stand-in for Holdfast is run instead of it. First one that does what the case calls right: check.py
must call it right. Then ones that each spoil that in one way: one packet's bytes changed, one stretch of time moved, the
exit status turned around, no file at all: check.py must call each of them wrong. Needs nothing but Python and ffmpeg;
the part of check.py that starts a server is not proved here.
"""
import json, os, stat, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STAND_IN = '''#!%s
import json, os, sys
sys.path.insert(0, %r)
import kit
spoil, ideal = os.environ['SPOIL'], os.environ['IDEAL_CASE']
if sys.argv[1] == 'inspect':
    d = open(sys.argv[-1], 'rb').read()
    n = len(kit.read_media(d)['packets'])
    print(json.dumps({'finished': True, 'problems': [], 'runs': [{'tracks': [{'packets': n}]}]}))
    sys.exit(0)
says = json.load(open(os.path.join(ideal, 'says.json')))
out = sys.argv[sys.argv.index('--out') + 1]
path = os.path.join(ideal, 'out')
status = says['exit']
if os.path.exists(path) and spoil != 'no file':
    d = bytearray(open(path, 'rb').read())
    packets = kit.read_media(bytes(d))['packets']
    p = packets[len(packets) // 2]['data']
    if spoil == 'a packet changed':
        at = bytes(d).index(p)
        d[at + len(p) // 2] ^= 0x55
    if spoil == 'time moved':
        if d[:4] == kit.eid(kit.EBML):
            # The stamp of the cluster in the middle.
            found, at = [], bytes(d).find(kit.eid(kit.CLUSTER))
            while at >= 0:
                found.append(at); at = bytes(d).find(kit.eid(kit.CLUSTER), at + 4)
            if len(found) > 1:
                at = bytes(d).index(b'\\xe7', found[len(found) // 2] + 4)
                n = d[at + 1] & 0x7f
                t = int.from_bytes(d[at + 2:at + 2 + n], 'big')
                d[at + 2:at + 2 + n] = max(0, t - 137).to_bytes(n, 'big')
            else:
                # The last block of the only one: its distance from the cluster.
                at = bytes(d).rindex(packets[-1]['data']) - 3
                d[at:at + 2] = (int.from_bytes(d[at:at + 2], 'big', signed=True) - 137).to_bytes(2, 'big', signed=True)
        else:
            at = bytes(d).index(b'stts') + 12
            n = int.from_bytes(d[at - 4:at], 'big')
            row = at + 8 * (n // 2) + 4
            d[row:row + 4] = (int.from_bytes(d[row:row + 4], 'big') + 100000).to_bytes(4, 'big')
    open(out, 'wb').write(d)
if spoil == 'exit status turned around':
    status = 0 if status else 3
if spoil == 'no file':
    status = 0
print(json.dumps({'problems': [says['says']]}))
sys.exit(status)
'''
SPOILS = ['', 'a packet changed', 'time moved', 'exit status turned around', 'no file']


def main():
    folders = sys.argv[1:] or sorted(os.path.join(HERE, d) for d in os.listdir(HERE) if os.path.exists(os.path.join(HERE, d, 'make.py')))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        stand_in = os.path.join(scratch, 'stand-in')
        with open(stand_in, 'w') as f:
            f.write(STAND_IN % (sys.executable, HERE))
        os.chmod(stand_in, os.stat(stand_in).st_mode | stat.S_IXUSR)
        for folder in map(os.path.abspath, folders):
            name = os.path.basename(folder)
            made = os.path.join(scratch, 'made', name)
            os.makedirs(made)
            env = {**os.environ, 'IDEAL': os.path.join(scratch, 'ideal')}
            subprocess.run([sys.executable, os.path.join(folder, 'make.py'), made], check=True, env=env)
            ideal = os.path.join(scratch, 'ideal', name)
            if not os.path.exists(ideal):
                print('%-42s nothing to prove it with' % name)
                failed += 1
                continue
            has_file = os.path.exists(os.path.join(ideal, 'out'))
            told = []
            with open(os.path.join(made, 'expected.json')) as f:
                case = json.load(f)
            # check.py makes the large ones itself, in the folder of the case.
            target = folder if case.get('generated') else made
            def most(right):
                most = right.get('packets_out', case['packets_in'])
                return most[1] if isinstance(most, list) else most
            # All packets, and the remark that something was odd: with some cases both exits are right then.
            either = any(r.get('exit') == 'nonzero' and not r.get('no_output') and most(r) >= case['packets_in'] for r in case['right'])
            for spoil in SPOILS:
                if spoil == 'exit status turned around' and either:
                    continue
                if spoil in ('a packet changed', 'time moved', 'no file') and not has_file:
                    continue
                env = {**os.environ, 'HOLDFAST': stand_in, 'SPOIL': spoil, 'IDEAL_CASE': ideal}
                done = subprocess.run([sys.executable, os.path.join(HERE, 'check.py'), '--no-session', target], env=env, stdout=subprocess.PIPE)
                right = done.returncode == 0
                as_it_should = right == (spoil == '')
                failed += not as_it_should
                if not as_it_should:
                    told.append('%s is called %s: %s' % (spoil or 'what is right', 'right' if right else 'wrong', done.stdout.decode().splitlines()[0][40:220]))
            print('%-42s %s' % (name, '; '.join(told) or 'proved'), flush=True)
    print('%d failed' % failed)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
