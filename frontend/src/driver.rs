//! Handles what happens, one [`Input`] after another: each to its end, effects included, before the
//! next is looked at. Then the one timer is set and the view is shown. Decides nothing itself.

use app::recorder::port::{Command, Device, RecorderView};
use gloo_events::EventListener;
use protocol::{Millis, SegmentNo, SessionId};
use wasm_bindgen_futures::spawn_local;

use crate::browser::{self, LeaveGuard, Timer};
use crate::capture::RunEvent;
use crate::capture_error::CaptureError;
use crate::devices;
use crate::earlier::{Earlier, Found};
use crate::microphone::{Microphone, MicrophoneEvent};
use crate::pipeline::{Pipeline, PipelineEvent};
use crate::port::Inputs;
use crate::recorder::{Recorder, RequestNo};
use crate::spool::Spool;

/// Everything that can happen.
pub(crate) enum Input {
    /// The island is there and wants to be told.
    Attached {
        on_view: Box<dyn Fn(RecorderView)>,
        on_level: Box<dyn Fn(f32)>,
    },
    Command(Command),
    DevicesChanged,
    DevicesListed(Vec<Device>),
    NetworkOnline,
    /// The time that was waited for has come.
    Timer,
    /// The answer to a request for a microphone.
    Opened {
        request: RequestNo,
        microphone: Result<Microphone, CaptureError>,
    },
    Microphone {
        request: RequestNo,
        event: MicrophoneEvent,
    },
    Run {
        segment: SegmentNo,
        event: RunEvent,
    },
    Pipeline {
        session: SessionId,
        event: PipelineEvent,
    },
    EarlierFound(Found),
}

/// Starts handling inputs as soon as the spool is open, for as long as the page lives.
pub(crate) fn start(inputs: Inputs) {
    spawn_local(async move {
        let spool = Spool::open().await;
        inputs.connect(Driver::new(&spool, inputs.clone()));
    });
}

pub(crate) struct Driver {
    inputs: Inputs,
    recorder: Recorder,
    earlier: Earlier,
    devices: Vec<Device>,
    on_view: Option<Box<dyn Fn(RecorderView)>>,
    /// What was shown last.
    shown: Option<RecorderView>,
    timer: Option<Timer>,
    leave_guard: LeaveGuard,
    _listeners: Vec<EventListener>,
}

impl Driver {
    fn new(spool: &Spool, inputs: Inputs) -> Self {
        let driver = Self {
            recorder: Recorder::new(spool.clone(), inputs.clone()),
            earlier: Earlier::new(spool.clone(), inputs.clone()),
            devices: Vec::new(),
            on_view: None,
            shown: None,
            timer: None,
            leave_guard: LeaveGuard::new(),
            _listeners: listen(&inputs),
            inputs,
        };
        driver.list_devices();
        driver.earlier.search();
        driver
    }

    pub(crate) fn take(&mut self, input: Input) {
        let now = browser::now();
        self.handle(now, input);
        self.settle(now);
    }

    fn handle(&mut self, now: Millis, input: Input) {
        match input {
            Input::Attached { on_view, on_level } => {
                self.on_view = Some(on_view);
                self.shown = None;
                self.recorder.show_level(on_level);
            }
            Input::Command(Command::ResumeUnfinished) => self.take_up(now, true),
            Input::Command(Command::FinishUnfinished) => self.take_up(now, false),
            Input::Command(command) => self.recorder.command(now, command),
            Input::DevicesChanged => self.list_devices(),
            Input::DevicesListed(devices) => self.devices = devices,
            Input::NetworkOnline => {
                self.pipelines().for_each(|pipeline| pipeline.network_online(now));
            }
            // Whatever is due is done after every input.
            Input::Timer => self.timer = None,
            Input::Opened { request, microphone } => {
                self.recorder.opened(now, request, microphone);
                // Only now does the browser name the devices.
                self.list_devices();
            }
            Input::Microphone { request, event } => {
                self.recorder.microphone_event(now, request, event);
            }
            Input::Run { segment, event } => self.recorder.run_event(now, segment, event),
            Input::Pipeline { session, event } => {
                if let Some(pipeline) = self.pipelines().find(|one| one.session() == session) {
                    pipeline.handle(now, event);
                }
            }
            Input::EarlierFound(found) => self.earlier.found(now, found),
        }
    }

    /// What an earlier page left becomes this page's session, to go on with or to be saved.
    fn take_up(&mut self, now: Millis, go_on: bool) {
        if self.recorder.is_free()
            && let Some((pipeline, lock)) = self.earlier.take_unfinished()
        {
            self.recorder.take_up_session(now, pipeline, lock, go_on);
        }
    }

    /// Does what is due, waits for what comes next, and shows what has changed.
    fn settle(&mut self, now: Millis) {
        self.recorder.tick(now);
        self.earlier.tick(now);
        self.leave_guard.set(self.recorder.is_unsafe_to_leave());
        self.arm_timer();
        self.publish(now);
    }

    fn arm_timer(&mut self) {
        let due = [self.recorder.poll_timeout(), self.earlier.poll_timeout()];
        let due = due.into_iter().flatten().min();
        if self.timer.as_ref().map(Timer::at) == due {
            return;
        }
        self.timer = due.map(|at| {
            let inputs = self.inputs.clone();
            Timer::new(at, move || inputs.send(Input::Timer))
        });
    }

    fn publish(&mut self, now: Millis) {
        let Some(on_view) = &self.on_view else {
            return;
        };
        let mut view = self.recorder.view(now);
        view.devices.clone_from(&self.devices);
        view.notices.extend(self.earlier.notice());
        if view.session.is_none() {
            (view.pending, view.pending_duration) = self.earlier.pending();
            view.unfinished = self.earlier.unfinished();
        }
        if self.shown.as_ref() != Some(&view) {
            on_view(view.clone());
            self.shown = Some(view);
        }
    }

    fn pipelines(&mut self) -> impl Iterator<Item = &mut Pipeline> {
        self.recorder.pipeline().into_iter().chain(self.earlier.pipelines())
    }

    fn list_devices(&self) {
        let inputs = self.inputs.clone();
        spawn_local(async move { inputs.send(Input::DevicesListed(devices::list().await)) });
    }
}

fn listen(inputs: &Inputs) -> Vec<EventListener> {
    let online = {
        let inputs = inputs.clone();
        browser::on(&browser::window(), "online", move || inputs.send(Input::NetworkOnline))
    };
    let inputs = inputs.clone();
    let devices = devices::on_change(move || inputs.send(Input::DevicesChanged));
    devices.into_iter().chain([online]).collect()
}
