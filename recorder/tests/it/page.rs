//! A page around a recorder: a clock, and a browser that carries out what is answered at once.

use bytes::Bytes;
use protocol::item::{EndCause, Incident, StartCause};
use protocol::message::{Progress, Welcome};
use protocol::sender;
use protocol::{
    ClientMessage, Content, Epoch, Item, Marker, Millis, SegmentNo, Seq, SeqSet, ServerMessage,
    SessionId, SessionStatus, SessionToken, TrackNo, UnixMillis,
};
use recorder::{
    CaptureError, Companion, Effect, MicrophoneState, Moment, NewSession, Notice, Recorder,
    RecorderState, RequestNo, RunForm, Source, Started, View, Warning,
};

pub(crate) const WALL: UnixMillis = UnixMillis::new(1_800_000_000_000);
pub(crate) const MAIN: TrackNo = TrackNo::new(0);
pub(crate) const BESIDE: TrackNo = TrackNo::new(1);
pub(crate) const FIRST: SegmentNo = SegmentNo::new(0);
pub(crate) const SECOND: SegmentNo = SegmentNo::new(1);
pub(crate) const THIRD: SegmentNo = SegmentNo::new(2);

pub(crate) fn session() -> SessionId {
    SessionId::from_parts(WALL, [7; 10])
}

pub(crate) fn token() -> SessionToken {
    SessionToken::from_random([9; 32])
}

pub(crate) fn live(label: &str) -> MicrophoneState {
    MicrophoneState { is_live: true, label: label.to_owned(), ..MicrophoneState::default() }
}

pub(crate) fn gone(label: &str) -> MicrophoneState {
    MicrophoneState { is_live: false, ..live(label) }
}

pub(crate) struct Page {
    pub(crate) recorder: Recorder,
    /// What it began to record with.
    pub(crate) microphone: RequestNo,
    pub(crate) companion: RequestNo,
    pub(crate) now: Millis,
    /// How far the wall clock has jumped.
    pub(crate) jumped: Millis,
    /// What was asked for and is not looked at yet.
    pub(crate) asked: Vec<Effect>,
    pub(crate) items: Vec<Item>,
    pub(crate) sent: Vec<ClientMessage>,
    /// The error with which no run starts, of the microphone's and of the companion's.
    pub(crate) no_run: Option<CaptureError>,
    pub(crate) no_companion_run: Option<CaptureError>,
    /// Recorders have just ended, and cannot be paused.
    pub(crate) has_ended: bool,
    pub(crate) peak: Option<f32>,
    unspooled: Vec<Seq>,
}

impl Page {
    pub(crate) fn new() -> Self {
        Self {
            recorder: Recorder::default(),
            microphone: RequestNo::default(),
            companion: RequestNo::default(),
            now: Millis::new(5_000),
            jumped: Millis::ZERO,
            asked: Vec::new(),
            items: Vec::new(),
            sent: Vec::new(),
            no_run: None,
            no_companion_run: None,
            has_ended: false,
            peak: Some(0.1),
            unspooled: Vec::new(),
        }
    }

    /// Records its first segment, on a microphone that is called so.
    pub(crate) fn recording(label: &str) -> Self {
        let mut page = Self::new();
        page.tell(|recorder, _| recorder.start());
        page.microphone = page.open(label);
        assert_eq!(page.state(), RecorderState::Recording);
        page.asked.clear();
        page
    }

    /// The same with this beside it.
    pub(crate) fn recording_with(companion: Companion) -> Self {
        let mut page = Self::new();
        page.tell(|recorder, _| recorder.choose_source(Source::With(companion)));
        page.tell(|recorder, _| recorder.start());
        if companion.is_shared() {
            page.companion = page.open_companion();
            page.microphone = page.open("Desk");
        } else {
            page.microphone = page.open("Desk");
            page.companion = page.open_companion();
        }
        assert_eq!(page.state(), RecorderState::Recording);
        page.asked.clear();
        page
    }

    pub(crate) fn at(&self) -> Moment {
        Moment { now: self.now, wall: WALL.plus(self.now + self.jumped) }
    }

    pub(crate) fn tell(&mut self, what: impl FnOnce(&mut Recorder, Moment)) {
        let at = self.at();
        what(&mut self.recorder, at);
        self.carry_out(at);
        self.recorder.handle_timeout(at);
        self.carry_out(at);
    }

    fn carry_out(&mut self, at: Moment) {
        while let Some(effect) = self.recorder.poll_effect() {
            self.asked.push(effect.clone());
            self.answer(at, effect);
        }
    }

    fn answer(&mut self, at: Moment, effect: Effect) {
        let form = RunForm { mime: "audio/webm;codecs=opus".into(), label: "named".into() };
        match effect {
            Effect::StartRun { run, is_first, .. } => {
                let session = is_first.then(|| NewSession { session: session(), token: token() });
                let started = Started { form, session };
                self.recorder.run_started(at, run, self.no_run.clone().map_or(Ok(started), Err));
            }
            Effect::StartCompanion { run, .. } => {
                let started = self.no_companion_run.clone().map_or(Ok(form), Err);
                self.recorder.companion_started(at, run, started);
            }
            Effect::Pause(run) if !self.has_ended => self.recorder.run_paused(at, run),
            Effect::Resume(run) if !self.has_ended => self.recorder.run_resumed(at, run),
            Effect::Listen(_) => self.recorder.heard(at, self.peak),
            Effect::Sender(sender::Effect::Spool { item, .. }) => {
                self.unspooled.push(item.seq);
                self.items.push(item);
            }
            Effect::Sender(sender::Effect::Send(message)) => self.sent.push(message),
            Effect::Sender(_)
            | Effect::OpenMicrophone { .. }
            | Effect::OpenCompanion { .. }
            | Effect::Close(_)
            | Effect::Use(_)
            | Effect::Preview(_)
            | Effect::Pause(_)
            | Effect::Resume(_)
            | Effect::Stop(_)
            | Effect::Flush(_)
            | Effect::Drop(_)
            | Effect::Read { .. }
            | Effect::SendTail { .. }
            | Effect::Stash { .. }
            | Effect::ForgetStash(_)
            | Effect::Part(_)
            | Effect::Begin(_)
            | Effect::NoteSource(..)
            | Effect::Unlock
            | Effect::LetGo => {}
        }
    }

    /// Lets time pass, as a page does whose timer is always in time.
    pub(crate) fn pass(&mut self, span: Millis) {
        let until = self.now + span;
        while let Some(due) = self.recorder.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tell(|_, _| {});
        }
        self.now = until;
        self.tell(|_, _| {});
    }

    /// The latest question for a microphone, or for what is recorded beside it.
    pub(crate) fn question(&self) -> RequestNo {
        let question = |effect: &Effect| {
            let (Effect::OpenMicrophone { request, .. } | Effect::OpenCompanion { request, .. }) =
                effect
            else {
                return None;
            };
            Some(*request)
        };
        self.asked.iter().rev().find_map(question).expect("something was asked for")
    }

    /// The devices and pictures of the microphones that were asked for, in order.
    pub(crate) fn microphones_asked(&self) -> Vec<(Option<&str>, bool)> {
        fn asked(effect: &Effect) -> Option<(Option<&str>, bool)> {
            let Effect::OpenMicrophone { device, wants_picture, .. } = effect else { return None };
            Some((device.as_deref(), *wants_picture))
        }
        self.asked.iter().filter_map(asked).collect()
    }

    /// So many runs of the microphone's were begun.
    pub(crate) fn runs_begun(&self) -> usize {
        self.asked.iter().filter(|one| matches!(one, Effect::StartRun { .. })).count()
    }

    pub(crate) fn open(&mut self, label: &str) -> RequestNo {
        self.open_as(live(label))
    }

    pub(crate) fn open_as(&mut self, state: MicrophoneState) -> RequestNo {
        let request = self.question();
        self.tell(|recorder, at| recorder.microphone_opened(at, request, Ok(state)));
        request
    }

    pub(crate) fn refuse(&mut self, error: CaptureError) {
        let request = self.question();
        self.tell(|recorder, at| recorder.microphone_opened(at, request, Err(error)));
    }

    pub(crate) fn open_companion(&mut self) -> RequestNo {
        let request = self.question();
        self.tell(|recorder, at| recorder.companion_opened(at, request, Ok(())));
        request
    }

    pub(crate) fn refuse_companion(&mut self, error: CaptureError) {
        let request = self.question();
        self.tell(|recorder, at| recorder.companion_opened(at, request, Err(error)));
    }

    /// A chunk of so many bytes, read at once.
    pub(crate) fn chunk(&mut self, run: SegmentNo, bytes: usize) -> Option<Seq> {
        let seq = self.unread_chunk(run, bytes)?;
        let bytes = Bytes::from(vec![1; bytes]);
        self.tell(|recorder, at| recorder.chunk_read(at, seq, Some(bytes)));
        Some(seq)
    }

    pub(crate) fn unread_chunk(&mut self, run: SegmentNo, bytes: usize) -> Option<Seq> {
        let mut seq = None;
        self.tell(|recorder, at| seq = recorder.chunk(at, run, at.now, bytes));
        seq
    }

    pub(crate) fn stopped(&mut self, run: SegmentNo) {
        self.tell(|recorder, at| recorder.run_stopped(at, run));
    }

    /// The microphone that it began with is unplugged, and its run has ended.
    pub(crate) fn lose_microphone(&mut self) {
        let microphone = self.microphone;
        self.tell(|recorder, at| recorder.microphone_is(at, microphone, gone("Desk")));
        self.stopped(FIRST);
    }

    /// The spool has written down all that it was given.
    pub(crate) fn spooled(&mut self) {
        for seq in std::mem::take(&mut self.unspooled) {
            self.tell(|recorder, at| recorder.sender_mut().unwrap().handle_spooled(at.now, seq));
        }
    }

    /// The server is there, and has nothing yet.
    pub(crate) fn welcome(&mut self) {
        self.tell(|recorder, at| recorder.sender_mut().unwrap().handle_connected(at.now));
        self.hear(ServerMessage::Welcome(Welcome {
            epoch: Epoch::new(1),
            status: SessionStatus::Active,
            have: SeqSet::new(),
            progress: Progress::default(),
        }));
    }

    pub(crate) fn hear(&mut self, message: ServerMessage) {
        self.tell(|recorder, at| recorder.sender_mut().unwrap().handle_message(at.now, message));
    }

    pub(crate) fn view(&self) -> View {
        self.recorder.view(self.now)
    }

    pub(crate) fn state(&self) -> RecorderState {
        self.view().state
    }

    pub(crate) fn has_notice(&self, notice: &Notice) -> bool {
        self.view().notices.contains(notice)
    }

    pub(crate) fn has_warning(&self, warning: &Warning) -> bool {
        self.view().warnings.contains(warning)
    }

    pub(crate) fn was_asked(&self, effect: &Effect) -> bool {
        self.asked.contains(effect)
    }

    pub(crate) fn markers(&self) -> Vec<Marker> {
        let markers = self.items.iter().filter_map(|item| match &item.content {
            Content::Marker(marker) => Some(marker.clone()),
            Content::Chunk { .. } => None,
        });
        markers.collect()
    }

    /// Track, segment and cause of what has started.
    pub(crate) fn starts(&self) -> Vec<(TrackNo, SegmentNo, StartCause)> {
        let start = |marker| {
            let Marker::SegmentStarted(start) = marker else { return None };
            Some((start.track, start.segment, start.cause))
        };
        self.markers().into_iter().filter_map(start).collect()
    }

    /// Track, segment and cause of what has ended.
    pub(crate) fn ends(&self) -> Vec<(TrackNo, SegmentNo, EndCause)> {
        let end = |marker| {
            let Marker::SegmentEnded(end) = marker else { return None };
            Some((end.track, end.segment, end.cause))
        };
        self.markers().into_iter().filter_map(end).collect()
    }

    pub(crate) fn incidents(&self) -> Vec<Incident> {
        let noted = |marker| {
            let Marker::Noted(incident) = marker else { return None };
            Some(incident)
        };
        self.markers().into_iter().filter_map(noted).collect()
    }
}
