//! The island's way in: whatever it asks for becomes an input of the driver.

use app::recorder::port::{Command, RecorderPort, RecorderView};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use crate::driver::Input;

/// The sending end of the driver's one channel.
#[derive(Clone)]
pub(crate) struct Inputs(UnboundedSender<Input>);

impl Inputs {
    pub(crate) fn send(&self, input: Input) {
        // The driver ends only with the page, and then nobody is left to tell.
        let _ = self.0.unbounded_send(input);
    }
}

pub(crate) struct BrowserPort {
    inputs: Inputs,
}

impl BrowserPort {
    /// The port, and the inputs that it and everybody else will send.
    pub(crate) fn new() -> (Self, UnboundedReceiver<Input>) {
        let (sender, receiver) = unbounded();
        (Self { inputs: Inputs(sender) }, receiver)
    }

    pub(crate) fn inputs(&self) -> Inputs {
        self.inputs.clone()
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
