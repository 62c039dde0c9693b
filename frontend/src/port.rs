//! Where everything that happens comes in. The island's commands, the microphone's events, answers
//! from the spool and the socket: each becomes one [`Input`], handled before the event that brought
//! it is over. What is captured must have its number by then, and a page that is being left gets no
//! second chance.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use app::recorder::port::{Command, RecorderPort, RecorderView};

use crate::driver::{Driver, Input};

/// A handle; its clones lead to the same driver.
#[derive(Clone, Default)]
pub(crate) struct Inputs(Rc<Queue>);

#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Input>>,
    driver: RefCell<Option<Driver>>,
}

impl Inputs {
    /// Has the input handled at once; while the driver is busy with another one, right after that.
    pub(crate) fn send(&self, input: Input) {
        self.0.waiting.borrow_mut().push_back(input);
        self.handle_waiting();
    }

    /// From now on inputs are handled; those that have come already, now.
    pub(crate) fn connect(&self, driver: Driver) {
        *self.0.driver.borrow_mut() = Some(driver);
        self.handle_waiting();
    }

    fn handle_waiting(&self) {
        // A driver that is busy takes what waits before it is done.
        let Ok(mut driver) = self.0.driver.try_borrow_mut() else { return };
        let Some(driver) = driver.as_mut() else { return };
        while let Some(input) = self.next() {
            driver.take(input);
        }
    }

    fn next(&self) -> Option<Input> {
        self.0.waiting.borrow_mut().pop_front()
    }
}

/// The island's way in.
pub(crate) struct BrowserPort {
    inputs: Inputs,
}

impl BrowserPort {
    pub(crate) fn new(inputs: Inputs) -> Self {
        Self { inputs }
    }
}

impl RecorderPort for BrowserPort {
    fn attach(&self, on_view: Box<dyn Fn(RecorderView)>, on_level: Box<dyn Fn(f32)>) {
        self.inputs.send(Input::Attached { on_view, on_level });
    }

    fn command(&self, command: Command) {
        self.inputs.send(Input::Command(command));
    }
}
