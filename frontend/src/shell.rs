//! The browser's part of the recorder: has what is open, what runs, and the chunks that are being read,
//! each under the number that the [`Recorder`] knows it by. Carries out what that asks for, at once and
//! in its order, and decides nothing itself.

use std::rc::Rc;

use bytes::Bytes;
use protocol::item::StartCause;
use protocol::sender::Sender;
use protocol::{Millis, SegmentNo, Seq, SessionId};
use recorder::{
    CaptureError, Effect, Moment, NewSession, Recorder, RequestNo, RunForm, Started, Wanted,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, MediaStream};

use crate::capture::{self, Run, RunEvent};
use crate::companion::Companion;
use crate::driver::Input;
use crate::earlier::Taken;
use crate::line::{Line, LineEvent};
use crate::microphone::Microphone;
use crate::port::Inputs;
use crate::session_lock::{LockKeeper, SessionLock};
use crate::spool::Spool;
use crate::take::Take;
use crate::{browser, capture_error, parting, preview, source, stash, storage};

/// Keeps other tabs away until it is dropped.
enum Lock {
    OfNew { _keeper: LockKeeper },
    OfEarlier { _lock: SessionLock },
}

/// Few at a time, each under its number.
type Numbered<No, T> = Vec<(No, T)>;

pub(crate) struct Shell {
    pub(crate) recorder: Recorder,
    spool: Spool,
    inputs: Inputs,
    on_level: Rc<dyn Fn(f32)>,
    microphones: Numbered<RequestNo, Microphone>,
    companions: Numbered<RequestNo, Companion>,
    takes: Numbered<SegmentNo, Take>,
    /// Chunks whose bytes are being read.
    chunks: Numbered<Seq, Blob>,
    line: Option<Line>,
    lock: Option<Lock>,
}

impl Shell {
    pub(crate) fn new(spool: Spool, inputs: Inputs) -> Self {
        Self {
            recorder: Recorder::default(),
            spool,
            inputs,
            on_level: Rc::new(|_| {}),
            microphones: Vec::new(),
            companions: Vec::new(),
            takes: Vec::new(),
            chunks: Vec::new(),
            line: None,
            lock: None,
        }
    }

    pub(crate) fn show_level(&mut self, on_level: Box<dyn Fn(f32)>) {
        self.on_level = on_level.into();
    }

    /// A connection has failed or was lost at least once.
    pub(crate) fn was_disconnected(&self) -> bool {
        self.line.as_ref().is_some_and(Line::was_disconnected)
    }

    /// Goes on recording with what an earlier page or another tab left.
    pub(crate) fn take_up(&mut self, at: Moment, taken: Taken, cause: StartCause) {
        browser::drop_fragment();
        let source = source::read(taken.pipeline.session());
        let sender = self.hold(taken);
        self.recorder.take_up(at, sender, source, cause);
    }

    /// Saves what an earlier page left.
    pub(crate) fn take_up_to_finish(&mut self, at: Moment, taken: Taken) {
        browser::drop_fragment();
        let sender = self.hold(taken);
        self.recorder.take_up_to_finish(at, sender);
    }

    fn hold(&mut self, taken: Taken) -> Sender {
        let Taken { pipeline, lock } = taken;
        let (sender, line) = pipeline.into_parts();
        self.lock = Some(match lock {
            Some(lock) => Lock::OfEarlier { _lock: lock },
            None => Lock::OfNew { _keeper: LockKeeper::new(line.session(), &self.inputs) },
        });
        self.line = Some(line);
        sender
    }

    /// Tells the recorder how what is open is just now. To be called before every input.
    pub(crate) fn look(&mut self, at: Moment) {
        for (request, microphone) in &self.microphones {
            self.recorder.microphone_is(at, *request, microphone.state());
        }
        for (request, companion) in &self.companions {
            self.recorder.companion_is(at, *request, companion.is_live());
        }
    }

    pub(crate) fn microphone_opened(
        &mut self,
        at: Moment,
        request: RequestNo,
        opened: Result<Microphone, CaptureError>,
    ) {
        let opened = opened.map(|microphone| {
            let state = microphone.state();
            self.microphones.push((request, microphone));
            state
        });
        self.recorder.microphone_opened(at, request, opened);
    }

    pub(crate) fn companion_opened(
        &mut self,
        at: Moment,
        request: RequestNo,
        opened: Result<Companion, CaptureError>,
    ) {
        let opened = opened.map(|mut companion| {
            companion.watch(self.on_stream_changed());
            self.companions.push((request, companion));
        });
        self.recorder.companion_opened(at, request, opened);
    }

    fn on_stream_changed(&self) -> impl Fn() + Clone + 'static {
        let inputs = self.inputs.clone();
        move || inputs.send(Input::StreamChanged)
    }

    pub(crate) fn run_event(&mut self, at: Moment, run: SegmentNo, event: RunEvent) {
        match event {
            RunEvent::Chunk(blob) => self.chunk(at, run, at.now, blob),
            RunEvent::Picture(blob, taken_at) => self.chunk(at, run, taken_at, blob),
            RunEvent::Failed => self.recorder.run_failed(at, run),
            RunEvent::Stopped => self.recorder.run_stopped(at, run),
        }
    }

    fn chunk(&mut self, at: Moment, run: SegmentNo, taken_at: Millis, blob: Blob) {
        if let Some(seq) = self.recorder.chunk(at, run, taken_at, blob.size() as usize) {
            self.chunks.push((seq, blob));
        }
    }

    pub(crate) fn chunk_read(&mut self, at: Moment, seq: Seq, bytes: Option<Bytes>) {
        self.chunks.retain(|(number, _)| *number != seq);
        self.recorder.chunk_read(at, seq, bytes);
    }

    pub(crate) fn line_event(&mut self, now: Millis, event: LineEvent) {
        if let (Some(line), Some(sender)) = (&mut self.line, self.recorder.sender_mut()) {
            line.handle(now, sender, event);
        }
    }

    /// Does all that the recorder has asked for.
    pub(crate) fn carry_out(&mut self, at: Moment) {
        while let Some(effect) = self.recorder.poll_effect() {
            self.carry_out_one(at, effect);
        }
    }

    fn carry_out_one(&mut self, at: Moment, effect: Effect) {
        match effect {
            Effect::Sender(effect) => {
                if let Some(line) = &mut self.line {
                    line.carry_out(effect);
                }
            }
            Effect::OpenMicrophone { request, device, wants_picture } => {
                self.open_microphone(request, device, wants_picture);
            }
            Effect::OpenCompanion { request, wanted, first } => {
                self.open_companion(request, wanted, first);
            }
            Effect::Close(request) => {
                self.microphones.retain(|(number, _)| *number != request);
                self.companions.retain(|(number, _)| *number != request);
            }
            Effect::Use(request) => self.watch(request),
            Effect::Preview(request) => {
                preview::show(request.and_then(|request| self.stream(request)));
            }
            Effect::Listen(request) => {
                let peak = find(&self.microphones, request).and_then(Microphone::peak);
                self.recorder.heard(at, peak);
            }
            Effect::StartRun { run, microphone, has_picture, is_first } => {
                let started = self.start_run(run, microphone, has_picture, is_first);
                self.recorder.run_started(at, run, started);
            }
            Effect::StartCompanion { run, companion } => {
                let started = self.start_companion(run, companion);
                self.recorder.companion_started(at, run, started);
            }
            Effect::Pause(run) => {
                if find(&self.takes, run).is_some_and(Take::pause) {
                    self.recorder.run_paused(at, run);
                }
            }
            Effect::Resume(run) => {
                if find(&self.takes, run).is_some_and(Take::resume) {
                    self.recorder.run_resumed(at, run);
                }
            }
            Effect::Stop(run) => {
                if let Some(take) = find(&self.takes, run) {
                    take.stop();
                }
            }
            Effect::Flush(run) => {
                if let Some(take) = find(&self.takes, run) {
                    take.flush();
                }
            }
            Effect::Drop(run) => self.takes.retain(|(number, _)| *number != run),
            Effect::Read { seq, is_urgent } => self.read(at, seq, is_urgent),
            Effect::SendTail { seq, header } => {
                if let (Some(line), Some(blob)) = (&self.line, find(&self.chunks, seq)) {
                    parting::send_tail(line.session(), &header, blob);
                }
            }
            Effect::Stash { record, items } => stash::keep(&record, items),
            Effect::ForgetStash(session) => stash::forget_page(session),
            Effect::Part(messages) => {
                if let Some(line) = &self.line {
                    parting::send_messages(line.session(), &messages);
                }
            }
            Effect::Begin(session) => self.begin(session),
            Effect::NoteSource(session, source) => source::note(session, source),
            Effect::Unlock => self.lock = None,
            Effect::LetGo => {
                self.line = None;
                self.chunks.clear();
                self.lock = None;
            }
        }
    }

    fn open_microphone(&self, request: RequestNo, device: Option<String>, wants_picture: bool) {
        let inputs = self.inputs.clone();
        spawn_local(async move {
            let opened = Microphone::open(device, wants_picture).await;
            inputs.send(Input::MicrophoneOpened { request, opened });
        });
    }

    fn open_companion(&self, request: RequestNo, wanted: Wanted, first: Option<String>) {
        let inputs = self.inputs.clone();
        spawn_local(async move {
            let opened = Companion::open(wanted, first).await;
            inputs.send(Input::CompanionOpened { request, opened });
        });
    }

    fn watch(&mut self, request: RequestNo) {
        let (on_change, on_level) = (self.on_stream_changed(), self.on_level.clone());
        let in_use = self.microphones.iter_mut().find(|(number, _)| *number == request);
        if let Some((_, microphone)) = in_use {
            microphone.watch(on_change, move |level| on_level(level));
        }
    }

    /// Of whatever is open under this number.
    fn stream(&self, request: RequestNo) -> Option<&MediaStream> {
        let microphone = find(&self.microphones, request).map(Microphone::stream);
        microphone.or_else(|| find(&self.companions, request).map(Companion::recorded))
    }

    fn start_run(
        &mut self,
        run: SegmentNo,
        microphone: RequestNo,
        has_picture: bool,
        is_first: bool,
    ) -> Result<Started, CaptureError> {
        let microphone = find(&self.microphones, microphone).ok_or(CaptureError::NoMicrophone)?;
        let take = Run::start(microphone.stream(), has_picture, self.on_run_event(run))?;
        let form = RunForm { mime: take.mime().to_owned(), label: microphone.whole_label() };
        let session = match is_first {
            true => Some(new_session().map_err(|error| capture_error::of_recorder(&error))?),
            false => None,
        };
        self.takes.push((run, Take::Run(take)));
        Ok(Started { form, session })
    }

    fn start_companion(
        &mut self,
        run: SegmentNo,
        companion: RequestNo,
    ) -> Result<RunForm, CaptureError> {
        let companion = find(&self.companions, companion).ok_or(CaptureError::NoMicrophone)?;
        let take = companion.record(self.on_run_event(run))?;
        let form = RunForm { mime: take.mime().to_owned(), label: companion.label() };
        self.takes.push((run, take));
        Ok(form)
    }

    fn on_run_event(&self, run: SegmentNo) -> impl Fn(RunEvent) + 'static {
        let inputs = self.inputs.clone();
        move |event| inputs.send(Input::Run { run, event })
    }

    /// What is urgent is read before this returns, where the browser does that.
    fn read(&mut self, at: Moment, seq: Seq, is_urgent: bool) {
        let Some(blob) = find(&self.chunks, seq).cloned() else { return };
        if is_urgent && let Some(bytes) = capture::read_now(&blob) {
            return self.chunk_read(at, seq, Some(bytes));
        }
        let inputs = self.inputs.clone();
        spawn_local(async move {
            let bytes = capture::read(blob).await;
            inputs.send(Input::ChunkRead(seq, bytes));
        });
    }

    fn begin(&mut self, session: SessionId) {
        storage::ask_to_persist();
        self.lock = Some(Lock::OfNew { _keeper: LockKeeper::new(session, &self.inputs) });
        self.line = Some(Line::new(session, self.spool.clone(), self.inputs.clone()));
    }
}

fn find<No: PartialEq, T>(numbered: &Numbered<No, T>, number: No) -> Option<&T> {
    numbered.iter().find(|(one, _)| *one == number).map(|(_, found)| found)
}

fn new_session() -> Result<NewSession, JsValue> {
    Ok(NewSession { session: browser::new_session_id()?, token: browser::new_session_token()? })
}
