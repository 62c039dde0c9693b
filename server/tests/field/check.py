#!/usr/bin/env python3
"""Runs $HOLDFAST on the field cases and measures what comes out.

    HOLDFAST=target/release/holdfast python3 check.py [FOLDER ...]     default: every folder beside this file
    -v      all that was measured, of the wrong ones
    --no-session   leave out the part that starts `holdfast serve`

One line a case; exit status 1 if any is wrong. What is in the file made is read with kit.py's own parser and counted
again by ffprobe; nothing that Holdfast says of itself is believed, except that it said it.
"""
import collections, hashlib, http.client, json, math, os, re, shutil, signal, sqlite3, struct, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import kit

HOLDFAST = os.path.abspath(os.environ.get('HOLDFAST', 'target/release/holdfast'))
TIMEOUT = 120


# ------------------------------------------------------------------------------------------- measuring
def run(*args):
    done = subprocess.run([HOLDFAST, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    return done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')


def ffprobe_packets(path):
    done = subprocess.run(['ffprobe', '-v', 'error', '-count_packets', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0', path],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT)
    return sum(int(x.strip(',')) for x in done.stdout.decode().split() if x.strip(',').isdigit())


def measure_files(paths, truth):
    """All files that were made, as if they were one list of packets; times count within each."""
    m = {'files': len(paths), 'media': [], 'packets_out': 0, 'faults': []}
    queues = collections.defaultdict(collections.deque)
    index = 0
    for n, path in enumerate(paths):
        with open(path, 'rb') as f:
            media = kit.read_media(f.read())
        counted = ffprobe_packets(path)
        if counted != len(media['packets']) and not any(t.get('alpha') for t in media['tracks'].values()):
            m['faults'].append('ffprobe counts %d packets, the parser %d' % (counted, len(media['packets'])))
        m['media'].append(media)
        m['packets_out'] += len(media['packets'])
        for p in media['packets']:
            p['file'], p['index'], index = n, index, index + 1
            queues[p['kind'], kit.sha(p['data'])].append(p)
    m['groups'] = []
    matched = 0
    for g in truth['groups']:
        rows, lost = [], 0
        for kind, t, dur, digest in g['packets']:
            q = queues.get((kind, digest))
            if q:
                rows.append((kind, t, dur, q.popleft()))
                matched += 1
            else:
                lost += 1
        o = {'name': g['name'], 'lost': lost, 'kept': len(rows)}
        if rows:
            deltas = [p['t'] - t for _, t, _, p in rows]
            o['spread'] = max(deltas) - min(deltas)
            o['start'] = min(p['t'] for *_, p in rows)
            o['end'] = max(p['t'] + dur for _, _, dur, p in rows)
            for kind in {r[0] for r in rows}:
                own = [p['index'] for k, _, _, p in rows if k == kind]
                if own != sorted(own):
                    o['disorder'] = True
            o['places'] = sorted({(p['file'], p['track']) for *_, p in rows})
        m['groups'].append(o)
    m['strange'] = m['packets_out'] - matched
    stamps = collections.Counter((p['file'], p['track'], round(p['t'], 2)) for media in m['media'] for p in media['packets'])
    m['same_time'] = max(stamps.values(), default=0)
    m['durations'] = [media['duration_ms'] for media in m['media']]
    m['tracks'] = [[t['kind'], t['codec'], sum(p['track'] == num for p in media['packets'])]
                   for media in m['media'] for num, t in media['tracks'].items()]
    return m


def frames_of(path):
    done = subprocess.run(['ffmpeg', '-v', 'quiet', '-threads', '1', '-i', path, '-map', '0:v', '-vsync', 'passthrough', '-autoscale', '0', '-f', 'framemd5', '-'],
                          stdout=subprocess.PIPE, timeout=TIMEOUT)
    return [x.rsplit(',', 1)[1].strip() for x in done.stdout.decode().splitlines() if x and not x.startswith('#')]


def pitch(path, start, end):
    """Of the sound between two moments (ms), by its zero crossings, in Hz; and how loud it is."""
    rate = 48000
    done = subprocess.run(['ffmpeg', '-v', 'quiet', '-threads', '1', '-i', path, '-map', '0:a:0', '-af', 'aresample=%d:async=1:first_pts=0,lowpass=f=900,lowpass=f=900' % rate, '-ac', '1', '-f', 's16le', '-'],
                          stdout=subprocess.PIPE, timeout=TIMEOUT)
    d = done.stdout[int(start * rate / 1000) * 2:int(end * rate / 1000) * 2]
    s = struct.unpack('<%dh' % (len(d) // 2), d[:len(d) // 2 * 2])
    if len(s) < rate // 20:
        return 0.0, 0.0
    up = [i for i in range(1, len(s)) if s[i - 1] < 0 <= s[i]]
    hz = (len(up) - 1) * rate / (up[-1] - up[0]) if len(up) > 2 else 0.0
    return hz, math.sqrt(sum(x * x for x in s) / len(s))


def numbers_named(told, pattern):
    """Numbers anywhere in a JSON whose key fits the pattern."""
    found = []
    if isinstance(told, dict):
        for k, v in told.items():
            if re.search(pattern, k) and isinstance(v, (int, float)) and not isinstance(v, bool):
                found.append(v)
            found += numbers_named(v, pattern)
    elif isinstance(told, list):
        for v in told:
            found += numbers_named(v, pattern)
    return found


# -------------------------------------------------------------------------------------- what is right
def between(value, limits):
    lo, hi = limits if isinstance(limits, list) else (limits, limits)
    return value is not None and lo <= value <= hi


def what_is_wrong(right, m, case, truth):
    """What is not as this outcome says, in words; empty: right."""
    bad = list(m.get('faults', []))
    def need(ok, words):
        if not ok:
            bad.append(words)
    if 'exit' in right:
        need((m['exit'] != 0) if right['exit'] == 'nonzero' else m['exit'] == right['exit'], 'exit %s' % m['exit'])
    if right.get('no_output'):
        need(not m['files'], 'a file was made')
    for key, want in (('says', True), ('says_not', False)):
        if key in right:
            need(bool(re.search(right[key], m['text'], re.I | re.S)) == want, '%s: %r' % ('does not say' if want else 'says', right[key]))
    if 'left_out' in right:
        need((m['left_out'] or 0) > 0 if right['left_out'] == '>0' else m['left_out'] == right['left_out'], 'left out: %s' % m['left_out'])
    if 'chunks' in right:
        need(m['chunks'] == right['chunks'], 'chunks %s' % m['chunks'])
    if right.get('no_output'):
        return bad
    if 'packets_out' in right:
        need(between(m['packets_out'], right['packets_out']), '%d of %d packets' % (m['packets_out'], case['packets_in']))
    if not m['files']:
        if set(right) & {'packets_out', 'groups', 'duration_ms', 'tracks', 'rigid_ms', 'join_ms'}:
            bad.append('no file')
        return bad
    wanted = right.get('groups', list(range(len(truth['groups']))))
    groups = [m['groups'][i] for i in wanted]
    for g in groups:
        need(not g['lost'], '%s: %d lost' % (g['name'], g['lost']))
        need(not g.get('disorder'), '%s: out of order' % g['name'])
        if 'spread' in g:
            need(g['spread'] <= right.get('rigid_ms', 3), '%s: times shifted against each other by %.0f ms' % (g['name'], g['spread']))
    need(not m['strange'], '%d packets that were in no source' % m['strange'])
    if 'join_ms' in right:
        for a, b in zip(groups, groups[1:]):
            if 'end' in a and 'start' in b and a['places'][0][0] == b['places'][0][0]:
                need(between(b['start'] - a['end'], right['join_ms']), '%s begins %.0f ms after %s' % (b['name'], b['start'] - a['end'], a['name']))
    if 'start_ms' in right:
        need(between(groups[0].get('start'), right['start_ms']), '%s begins at %.0f ms' % (groups[0]['name'], groups[0].get('start', -1)))
    if 'files' in right:
        need(m['files'] == right['files'], '%d files' % m['files'])
    if 'same_time_max' in right:
        need(m['same_time'] <= right['same_time_max'], '%d packets at one moment' % m['same_time'])
    if 'duration_ms' in right:
        need(between(m['durations'][0], right['duration_ms']), 'lasts %s ms' % (m['durations'][0] and round(m['durations'][0])))
    if 'tracks' in right:
        need(sorted(m['tracks']) == sorted(right['tracks']), 'tracks %s' % m['tracks'])
    if 'turns' in right:
        for g, turn in zip(groups, right['turns']):
            for file, num in g.get('places', []):
                t = m['media'][file]['tracks'][num]
                need(t['matrix'] == kit.MATRIX[turn] if 'matrix' in t else t.get('roll', 0) == turn, '%s: shown turned wrongly' % g['name'])
    if right.get('one_description'):
        # Browsers' players know only a track's first sample description; Chromium's stops with a decode error at the
        # first sample of a second one.
        for media in m['media']:
            for num, t in media['tracks'].items():
                used = {p['desc'] for p in media['packets'] if p['track'] == num and 'desc' in p}
                need(used <= {1}, 'a %s track with %d sample descriptions' % (t['codec'], len(used)))
    if right.get('decode_video') == 'same':
        want = sum((frames_of(os.path.join(case['folder'], f)) for f in case['decode_inputs']), [])
        got = sum((frames_of(f) for f in m['paths']), [])
        need(want and want == got, 'decoded pictures: %d of %d as in the sources' % (sum(a == b for a, b in zip(want, got)), len(want)))
    for start, end, hz, tolerance in right.get('tones', []):
        got, loud = pitch(m['paths'][0], start, end)
        need(abs(got - hz) <= tolerance and loud > 500, '%d-%d ms sounds at %.0f Hz, not %d' % (start, end, got, hz))
    return bad


def verdict(rights, m, case, truth):
    """(right outcome's name or None, what keeps it from each of the outcomes that would be right)."""
    complaints = []
    for right in rights:
        bad = what_is_wrong(right, m, case, truth)
        if not bad:
            return right.get('name', 'right'), []
        complaints.append('not "%s": %s' % (right.get('name', 'right'), ', '.join(bad[:3])))
    return None, complaints


# -------------------------------------------------------------------------------------- the command line
def stitch(inputs, out):
    code, text, err = run('stitch', '--format', 'json', '--out', out, *inputs)
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    return code, text + err, told


def by_tool(case, truth, folder, scratch):
    inputs = [os.path.join(folder, f) for f in case['inputs']]
    out = os.path.join(scratch, 'out.bin')
    code, text, told = stitch(inputs, out)
    for again in range(case.get('again', 0)):
        if not os.path.exists(out):
            break
        more = os.path.join(scratch, 'out%d.bin' % again)
        code, text, told = stitch([out], more)
        out = more
    paths = [out] if os.path.exists(out) else []
    m = measure_files(paths, truth)
    m.update(exit=code, text=text, paths=paths, left_out=max(numbers_named(told, 'left_?out|dropped'), default=None))
    return m


def by_inspect(case, folder, scratch, made):
    """`inspect` on a source, or on what `stitch` made of it."""
    want, bad = case['inspect'], []
    path = made if want['file'] == '$out' else os.path.join(folder, want['file'])
    if not path or not os.path.exists(path):
        return ['nothing to inspect']
    code, text, err = run('inspect', '--format', 'json', path)
    try:
        told = json.loads(text)
    except ValueError:
        return ['inspect says no JSON: %s' % err.strip()[:80]]
    if code != 0:
        bad.append('inspect exits %d' % code)
    if 'finished' in want and told.get('finished') != want['finished']:
        bad.append('inspect: finished %s' % told.get('finished'))
    if 'problems' in want and len(told.get('problems', [])) != want['problems']:
        bad.append('inspect: %s' % '; '.join(told['problems'])[:120])
    if 'packets' in want:
        got = sum(t['packets'] for r in told.get('runs', []) for t in r['tracks'])
        if got != want['packets']:
            bad.append('inspect counts %d of %d packets' % (got, want['packets']))
    for key, wanted in (('says', True), ('says_not', False)):
        if key in want and bool(re.search(want[key], text + err, re.I | re.S)) != wanted:
            bad.append('inspect %s %r' % ('does not say' if wanted else 'says', want[key]))
    return bad


# ------------------------------------------------------------------------------------------- the server
def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def blob(b):
    return varint(len(b)) + b


class Server:
    """`holdfast serve` on a free port of loopback, in a folder of its own."""
    def __init__(self, scratch):
        log = os.path.join(scratch, 'log')
        self.data = os.path.join(scratch, 'data')
        self.log = open(log, 'wb')
        self.process = subprocess.Popen([HOLDFAST, 'serve', '--listen', '127.0.0.1:0', '--data-dir', self.data],
                                        stdout=self.log, stderr=self.log, env={**os.environ, 'NO_COLOR': '1'})
        for _ in range(300):
            with open(log, 'rb') as f:
                told = re.search(rb'Holdfast is at http://127\.0\.0\.1:(\d+)\s', f.read())
            if told:
                self.port = int(told[1])
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError('the server does not start')

    def ask(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        d = r.read()
        c.close()
        return r.status, d

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def session(self, runs, kind, mime):
        """Delivers the runs' chunks as a page does (None: one that never arrived), ends the session, returns its JSON."""
        status, d = self.ask('POST', '/api/sessions')
        made = json.loads(d)
        sid, token = made['id'], bytes.fromhex(made['token'])
        kinds = {'microphone': 0, 'camera': 1, 'screen': 2}
        wall = 1_800_000_000_000
        seq, frames = 0, []
        def item(content, at):
            nonlocal seq
            head = varint(seq) + varint(at)
            seq += 1
            return head + content + hashlib.sha256(head + content).digest()
        hello = varint(0) + varint(1) + blob(bytes.fromhex(sid.replace('-', ''))) + token + varint(0) + varint(wall) + varint(0)
        at = 0
        for segment, chunks in enumerate(runs):
            start = (b'\x01' + varint(0) + b'\x00' + varint(segment) + varint(kinds[kind]) + blob(mime.encode()) + blob(b'field')
                     + varint(wall) + varint(0))
            frames.append(varint(1) + varint(1) + item(start, at))
            for chunk in chunks:
                at += 250
                if chunk is None:
                    seq += 1
                elif chunk:
                    frames.append(varint(1) + varint(1) + item(b'\x00' + b'\x00' + varint(segment) + blob(chunk), at))
        body = b''.join(struct.pack('<I', len(f)) + f for f in [hello] + frames)
        status, d = self.ask('POST', '/api/sessions/%s/items' % sid, body, {'Content-Type': 'application/octet-stream'})
        if status != 200:
            raise RuntimeError('items are answered %d: %s' % (status, d[:200]))
        bearer = {'Authorization': 'Bearer ' + made['token'], 'Content-Type': 'application/json'}
        for _ in range(30):
            status, d = self.ask('POST', '/api/sessions/%s/finish' % sid, b'{}', bearer)
            if status != 202:
                break
            time.sleep(0.5)
        return sid, json.loads(d)

    def chunks_left(self, sid):
        """`kept`, `gone`, or None where there never was one."""
        db = sqlite3.connect('file:%s?mode=ro' % os.path.join(self.data, 'holdfast.db'), uri=True)
        left, all_ = db.execute("SELECT sum(payload IS NOT NULL OR payload_place IS NOT NULL), count(*) FROM items "
                                "WHERE session_id = ? AND kind = 'chunk'", (bytes.fromhex(sid.replace('-', '')),)).fetchone()
        db.close()
        return None if not all_ else 'kept' if left == all_ else 'gone'


def by_session(case, truth, folder, scratch, server):
    s = case['session']
    def bytes_of(c):
        if c is None:
            return None
        name, *part = c if isinstance(c, list) else [c]
        with open(os.path.join(folder, name), 'rb') as f:
            d = f.read()
        return d[part[0]:part[1]] if part else d
    runs = []
    for r in s['runs']:
        chunks = []
        for c in r:
            d = bytes_of(c)
            chunks += [None] if d is None else [d[i:i + 500_000] for i in range(0, len(d), 500_000)]
        runs.append(chunks)
    sid, told = server.session(runs, s.get('kind', 'microphone'), s.get('mime', 'audio/webm;codecs=opus'))
    paths = []
    urls = [told.get('recording_url')] + [p['recording_url'] for t in told.get('tracks', []) for p in t.get('further_parts', [])]
    for n, url in enumerate(u for u in urls if u):
        status, d = server.ask('GET', url)
        if status == 200:
            paths.append(os.path.join(scratch, 'session%d.bin' % n))
            with open(paths[-1], 'wb') as f:
                f.write(d)
    m = measure_files(paths, truth)
    chunks = server.chunks_left(sid)
    for _ in range(20):
        if chunks == 'gone' or told.get('left_out_segments'):
            break
        time.sleep(0.15)
        chunks = server.chunks_left(sid)
    m.update(exit=None, text=json.dumps(told), paths=paths, left_out=told.get('left_out_segments'), chunks=chunks)
    return m


# ------------------------------------------------------------------------------------------------- main
def check(folder, server, verbose):
    with open(os.path.join(folder, 'expected.json')) as f:
        case = json.load(f)
    with tempfile.TemporaryDirectory() as scratch:
        source = folder
        if case.get('generated'):
            source = os.path.join(scratch, 'made')
            os.mkdir(source)
            subprocess.run([sys.executable, os.path.join(folder, 'make.py'), source], check=True, timeout=TIMEOUT)
        with open(os.path.join(source, 'truth.json')) as f:
            truth = json.load(f)
        case['folder'] = source
        names, bad, measured = [], [], {}
        if 'right' in case:
            m = measured['stitch'] = by_tool(case, truth, source, scratch)
            name, wrong = verdict(case['right'], m, case, truth)
            names.append('stitch: %s' % name)
            bad += ['stitch: ' + x for x in wrong or []]
        if 'inspect' in case:
            made = measured['stitch']['paths'][0] if measured.get('stitch', {}).get('paths') else None
            wrong = by_inspect(case, source, scratch, made)
            names.append('inspect')
            bad += wrong
        if 'session' in case and server:
            m = measured['session'] = by_session(case, truth, source, scratch, server)
            name, wrong = verdict(case['session']['right'], m, case, truth)
            names.append('session: %s' % name)
            bad += ['session: ' + x for x in wrong or []]
    if verbose and bad:
        for leg, m in measured.items():
            print('    %s: exit %s, left out %s, chunks %s, %d packets, durations %s, tracks %s' %
                  (leg, m['exit'], m['left_out'], m.get('chunks'), m['packets_out'], m['durations'], m['tracks']))
            for g in m['groups']:
                print('        %s' % g)
            print('        says: %s' % ' '.join(m['text'].split())[:700])
    return case, bad, names


def main():
    args = sys.argv[1:]
    verbose, with_session = '-v' in args, '--no-session' not in args
    folders = [a for a in args if not a.startswith('-')]
    if not folders:
        folders = sorted(os.path.join(HERE, d) for d in os.listdir(HERE) if os.path.exists(os.path.join(HERE, d, 'expected.json')))
    if not os.path.exists(HOLDFAST):
        sys.exit('no binary at %s: set HOLDFAST' % HOLDFAST)
    if not folders:
        sys.exit('no case')
    wrong = 0
    server, scratch, why = None, tempfile.mkdtemp(), None
    try:
        for folder in folders:
            folder = os.path.abspath(folder)
            name = os.path.basename(folder)
            try:
                with open(os.path.join(folder, 'expected.json')) as f:
                    needs = 'session' in json.load(f)
                if needs and with_session and not server:
                    server = Server(scratch)
                case, bad, names = check(folder, server if with_session else None, verbose)
            except Exception as error:
                bad, names, case = ['cannot be checked: %s: %s' % (type(error).__name__, error)], [], {}
            wrong += bool(bad)
            print('%-5s %-30s %-2s %s' % ('WRONG' if bad else 'ok', name, case.get('class', ''), '; '.join(bad) if bad else ', '.join(names)), flush=True)
    finally:
        if server:
            server.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    print('%d of %d right' % (len(folders) - wrong, len(folders)))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
