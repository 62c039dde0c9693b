//! Handles what happens, one [`Input`] after another: each to its end, effects included, before the
//! next is looked at. Then the one timer is set and the view is shown. Decides nothing itself.

use app::recorder::port::{Command, LinkState, RecorderState, RecorderView, Room};
use bytes::Bytes;
use gloo_events::EventListener;
use js_sys::Array;
use protocol::item::StartCause;
use protocol::sender::{LinkStatus, Sender};
use protocol::{Millis, SegmentNo, Seq, SessionId};
use recorder::{CaptureError, Device, Moment, RequestNo};
use wasm_bindgen_futures::spawn_local;

use crate::browser::{self, LeaveGuard, Timer};
use crate::capture::RunEvent;
use crate::companion::Companion;
use crate::devices;
use crate::earlier::{Earlier, Elsewhere, Found};
use crate::line::LineEvent;
use crate::microphone::Microphone;
use crate::permission::PermissionWatch;
use crate::port::Inputs;
use crate::reach::Reach;
use crate::recovery::Recovery;
use crate::saving::{self, InMemory};
use crate::service_worker::Delivery;
use crate::shell::Shell;
use crate::spool::Spool;
use crate::storage;
use crate::tabs::Tabs;
use crate::unreadable::Unreadables;
use crate::view;
use crate::wake_lock::WakeLock;

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
    MicrophoneAllowed,
    RoomKnown(Room),
    NetworkOnline,
    /// Whether the server was there when it was asked.
    Reached(bool),
    PageVisible,
    /// The page may be about to be left.
    Leaving,
    Hidden,
    /// The page is left.
    Left,
    /// The page has come back out of the browser's cache.
    Returned,
    /// The time that was waited for has come.
    Timer,
    MicrophoneOpened {
        request: RequestNo,
        opened: Result<Microphone, CaptureError>,
    },
    CompanionOpened {
        request: RequestNo,
        opened: Result<Companion, CaptureError>,
    },
    /// Something that is open was muted, unmuted, or is gone.
    StreamChanged,
    Run {
        run: SegmentNo,
        event: RunEvent,
    },
    /// The bytes of a chunk; none when they could not be read.
    ChunkRead(Seq, Option<Bytes>),
    Line {
        session: SessionId,
        event: LineEvent,
    },
    EarlierFound(Found),
    /// Where it lies what this version cannot read of a session, or of none.
    UnreadableFound(Option<SessionId>, Array),
    /// The session of this recovery link is not in this browser.
    Recover(Recovery),
    FoundElsewhere(Elsewhere),
    /// Another tab has let its session go, or had it taken.
    TakenOver(Option<Found>),
    /// Another tab wants this session.
    HandOver(SessionId),
    /// Another tab has taken this session without waiting.
    LockLost(SessionId),
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
    shell: Shell,
    earlier: Earlier,
    unreadable: Unreadables,
    spool: Spool,
    devices: Vec<Device>,
    room: Room,
    on_view: Option<Box<dyn Fn(RecorderView)>>,
    /// What was shown last.
    shown: Option<RecorderView>,
    timer: Option<Timer>,
    leave_guard: LeaveGuard,
    wake_lock: WakeLock,
    _permission: PermissionWatch,
    tabs: Tabs,
    reach: Reach,
    delivery: Delivery,
    _listeners: Vec<EventListener>,
}

impl Driver {
    fn new(spool: &Spool, inputs: Inputs) -> Self {
        let driver = Self {
            shell: Shell::new(spool.clone(), inputs.clone()),
            earlier: Earlier::new(spool.clone(), inputs.clone()),
            unreadable: Unreadables::default(),
            devices: Vec::new(),
            spool: spool.clone(),
            room: Room::Unknown,
            on_view: None,
            shown: None,
            timer: None,
            leave_guard: LeaveGuard::new(),
            wake_lock: WakeLock::default(),
            _permission: watch_permission(&inputs),
            tabs: Tabs::new(&inputs),
            reach: Reach::new(inputs.clone()),
            delivery: Delivery::new(),
            _listeners: listen(&inputs),
            inputs,
        };
        driver.list_devices();
        driver.look_for_room();
        driver.earlier.search();
        if let Some(recovery) = Recovery::parse(&browser::fragment()) {
            driver.earlier.search_for(recovery);
        }
        driver
    }

    pub(crate) fn take(&mut self, input: Input) {
        let at = Moment { now: browser::now(), wall: browser::wall_clock() };
        self.shell.look(at);
        self.handle(at, input);
        self.settle(at);
    }

    fn handle(&mut self, at: Moment, input: Input) {
        let now = at.now;
        match input {
            Input::Attached { on_view, on_level } => {
                self.on_view = Some(on_view);
                self.shown = None;
                self.shell.show_level(on_level);
            }
            Input::Command(command) => self.command(at, command),
            Input::DevicesChanged => {
                self.list_devices();
                self.shell.recorder.devices_changed();
            }
            Input::DevicesListed(devices) => {
                self.shell.recorder.devices_listed(&devices);
                self.devices = devices;
            }
            Input::MicrophoneAllowed => self.shell.recorder.permission_granted(),
            Input::RoomKnown(room) => self.room = room,
            Input::PageVisible => {
                self.wake_lock.page_is_visible();
                self.look_for_room();
            }
            Input::Leaving => self.shell.recorder.leaving(now),
            Input::Hidden => self.shell.recorder.hidden(),
            Input::Left => self.shell.recorder.left(at),
            Input::NetworkOnline => self.network_online(now),
            Input::Returned => {
                self.shell.recorder.returned();
                // The browser has closed every connection meanwhile.
                self.network_online(now);
            }
            Input::Reached(is_there) => self.reach.handle(now, is_there),
            // Whatever is due is done after every input.
            Input::Timer => self.timer = None,
            Input::MicrophoneOpened { request, opened } => {
                self.shell.microphone_opened(at, request, opened);
                // Only now does the browser name the devices.
                self.list_devices();
            }
            Input::CompanionOpened { request, opened } => {
                self.shell.companion_opened(at, request, opened);
                self.list_devices();
            }
            // How it is now was told before.
            Input::StreamChanged => {}
            Input::Run { run, event } => self.shell.run_event(at, run, event),
            Input::ChunkRead(seq, bytes) => self.shell.chunk_read(at, seq, bytes),
            Input::Line { session, event } => self.line_event(now, session, event),
            Input::EarlierFound(found) => self.earlier.found(now, found),
            Input::UnreadableFound(session, places) => self.unreadable.found(session, places),
            Input::Recover(recovery) => self.earlier.offer(recovery),
            Input::FoundElsewhere(elsewhere) => self.earlier.found_elsewhere(elsewhere),
            Input::TakenOver(found) => {
                if let Some(taken) = self.earlier.taken_over(now, found) {
                    self.shell.take_up(at, taken, StartCause::TakenOver);
                }
            }
            Input::HandOver(session) => {
                self.shell.recorder.hand_over(now, session);
                self.earlier.hand_over(session);
            }
            Input::LockLost(session) => {
                self.shell.recorder.lock_lost(session);
                self.earlier.hand_over(session);
            }
        }
    }

    fn command(&mut self, at: Moment, command: Command) {
        let now = at.now;
        let recorder = &mut self.shell.recorder;
        match command {
            Command::TestMicrophone => recorder.test_microphone(),
            Command::StopTest => recorder.stop_test(),
            Command::ChooseSource(source) => recorder.choose_source(source),
            Command::ChooseDevice(id) => recorder.choose_device(id),
            Command::ChooseSecondDevice(id) => recorder.choose_second_device(id),
            Command::Start => recorder.start(),
            Command::Pause => recorder.pause(),
            Command::Resume => recorder.resume(),
            Command::RestoreCompanion => recorder.restore_companion(),
            Command::Stop => recorder.stop(now),
            Command::Retry => recorder.retry(now),
            Command::ResumeUnfinished => {
                if recorder.is_free() {
                    self.earlier.resume(now);
                }
            }
            Command::FinishUnfinished => {
                if recorder.is_free()
                    && let Some(taken) = self.earlier.take_to_finish(now)
                {
                    self.shell.take_up_to_finish(at, taken);
                }
            }
            Command::DiscardUnfinished => {
                if let Some(session) = self.earlier.discard(now) {
                    self.unreadable.forget(Some(session));
                }
            }
            Command::SaveUnreadable => self.unreadable.save(),
            Command::SaveKept => self.save_kept(),
            Command::TakeOver => {
                if recorder.is_free()
                    && let Some(session) = self.earlier.take_over()
                {
                    self.tabs.ask_for(session);
                }
            }
        }
    }

    /// Does what is due, waits for what comes next, and shows what has changed.
    fn settle(&mut self, at: Moment) {
        let now = at.now;
        self.shell.carry_out(at);
        self.shell.recorder.handle_timeout(at);
        self.earlier.tick(now);
        if let Some(taken) = self.earlier.take_wanted() {
            self.shell.take_up(at, taken, StartCause::PageReturned);
        }
        self.shell.carry_out(at);
        if self.is_online() {
            self.reach.handle(now, true);
        }
        self.reach.tick(now);
        self.leave_guard.set(self.shell.recorder.is_unsafe_to_leave());
        self.wake_lock.set(self.shell.recorder.is_at_work());
        self.arm_timer();
        self.publish(now);
    }

    fn arm_timer(&mut self) {
        let due = [
            self.shell.recorder.poll_timeout(),
            self.earlier.poll_timeout(),
            self.reach.poll_timeout(),
        ];
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
        let view = self.view(now);
        let is_unsent = view.pending > 0
            || self.earlier.pending().0 > 0
            || view.state == RecorderState::Finishing;
        self.delivery.settle(now, is_unsent, view.link == LinkState::Reconnecting);
        if let Some(on_view) = &self.on_view
            && self.shown.as_ref() != Some(&view)
        {
            on_view(view.clone());
            self.shown = Some(view);
        }
    }

    fn view(&self, now: Millis) -> RecorderView {
        let mut view = view::of(&self.shell.recorder, self.shell.was_disconnected(), now);
        view.devices.clone_from(&self.devices);
        view.unreadable = self.unreadable.count();
        view.room = if self.spool.is_there() { self.room } else { Room::Nowhere };
        if self.reach.is_away() {
            view.link = LinkState::Reconnecting;
        } else {
            view.notices.extend(self.earlier.notice());
        }
        if view.session.is_none() {
            (view.pending, view.pending_duration) = self.earlier.pending();
            view.unfinished = self.earlier.unfinished();
            view.elsewhere = self.earlier.elsewhere();
        }
        view.is_kept_back |= self.earlier.keeps_back() || is_waiting_at_rest(&view);
        view
    }

    fn line_event(&mut self, now: Millis, session: SessionId, event: LineEvent) {
        if self.shell.recorder.session() == Some(session) {
            self.shell.line_event(now, event);
        } else if let Some(one) = self.earlier.pipelines().find(|one| one.session() == session) {
            one.handle(now, event);
        }
    }

    fn save_kept(&mut self) {
        let mut in_memory = InMemory::new();
        let mut note = |sender: &Sender| {
            let items = sender.unspooled(usize::MAX).into_iter();
            in_memory.extend(items.map(|(item, _)| (sender.session(), item)));
        };
        self.shell.recorder.sender().into_iter().for_each(&mut note);
        self.earlier.pipelines().for_each(|pipeline| note(pipeline.sender()));
        saving::save(self.spool.clone(), in_memory);
    }

    fn network_online(&mut self, now: Millis) {
        if let Some(sender) = self.shell.recorder.sender_mut() {
            sender.handle_network_online(now);
        }
        self.earlier.pipelines().for_each(|pipeline| pipeline.network_online(now));
    }

    fn is_online(&mut self) -> bool {
        let is_online = |sender: &Sender| sender.link_status() == LinkStatus::Online;
        self.shell.recorder.sender().is_some_and(is_online)
            || self.earlier.pipelines().any(|pipeline| is_online(pipeline.sender()))
    }

    fn look_for_room(&self) {
        let inputs = self.inputs.clone();
        spawn_local(async move { inputs.send(Input::RoomKnown(storage::room().await)) });
    }

    fn list_devices(&self) {
        let inputs = self.inputs.clone();
        spawn_local(async move { inputs.send(Input::DevicesListed(devices::list().await)) });
    }
}

/// While a recording goes on, what waits for the connection is no reason for worry.
fn is_waiting_at_rest(view: &RecorderView) -> bool {
    let is_at_rest = match view.state {
        RecorderState::Idle | RecorderState::Finishing | RecorderState::Error => true,
        RecorderState::Acquiring
        | RecorderState::Recording
        | RecorderState::Paused
        | RecorderState::Done => false,
    };
    is_at_rest && view.pending > 0 && view.link == LinkState::Reconnecting
}

fn listen(inputs: &Inputs) -> Vec<EventListener> {
    let window = browser::window();
    let send = |input: fn() -> Input| {
        let inputs = inputs.clone();
        move || inputs.send(input())
    };
    let mut listeners = vec![
        browser::on(&window, "online", send(|| Input::NetworkOnline)),
        browser::on(&window, "beforeunload", send(|| Input::Leaving)),
        browser::on(&window, "pagehide", send(|| Input::Left)),
        browser::on(&window, "pageshow", send(|| Input::Returned)),
    ];
    listeners.extend(browser::on_hidden(send(|| Input::Hidden)));
    listeners.extend(devices::on_change(send(|| Input::DevicesChanged)));
    listeners.extend(browser::on_visible(send(|| Input::PageVisible)));
    listeners
}

fn watch_permission(inputs: &Inputs) -> PermissionWatch {
    let inputs = inputs.clone();
    PermissionWatch::new(move || inputs.send(Input::MicrophoneAllowed))
}
