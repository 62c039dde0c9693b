//! How records and items lie in the database. Beside what a page needs to go on stands, ready-made,
//! what the service worker posts when no page is left: it knows nothing of the protocol.
//!
//! | value | property | |
//! |---|---|---|
//! | both | `version` | of the form of the value; absent in the first |
//! | a session | `record` | the session's record, in postcard |
//! | | `hellos` | the frames that open the session, to be tried in turn; absent when nothing of it is to be sent |
//! | | `finish` | the frame that finishes it, once the candidate has asked for that |
//! | an item | `span` | the media time that it covers, in milliseconds |
//! | | `frame` | the message that holds the item and nothing else |
//!
//! Form 1 is that of the last release; what it holds is the same in form 2. A value of another form is
//! unreadable here, as is a damaged one.

use js_sys::{Array, Object, Reflect, Uint8Array};
use protocol::message::Hello;
use protocol::sender::{Dispatch, SessionRecord};
use protocol::{ClientMessage, Item, Millis};
use wasm_bindgen::{JsCast, JsValue};

/// Of the form that is written here. The service worker knows it too: frontend/sw/courier.js
const VERSION: u8 = 2;

/// A stored item, and how much media time it covers.
pub(crate) struct Stored {
    pub(crate) span: Millis,
    pub(crate) item: Item,
}

pub(crate) fn record_to_value(record: &SessionRecord) -> JsValue {
    let (hellos, finish) = match record.dispatch() {
        Some(Dispatch { hellos, finish }) => (Some(frames(hellos)), finish),
        None => (None, None),
    };
    let finish = finish.map(|finish| frame(&ClientMessage::Finish(finish)));
    object([("record", Some(to_array(&record.encode()))), ("hellos", hellos), ("finish", finish)])
}

pub(crate) fn record_from_value(value: &JsValue) -> Option<SessionRecord> {
    SessionRecord::decode(&bytes_of(value, "record")?)
}

pub(crate) fn item_to_value(item: Item, span: Millis) -> JsValue {
    // Spans are far below 2^53, where a JavaScript number would stop being exact.
    object([
        ("span", Some(JsValue::from_f64(span.get() as f64))),
        ("frame", Some(frame(&ClientMessage::Items(vec![item])))),
    ])
}

pub(crate) fn item_from_value(value: &JsValue) -> Option<Stored> {
    let item = Item::of_frame(&bytes_of(value, "frame")?)?;
    let span = whole_number(&get(value, "span")?)?;
    Some(Stored { span: Millis::new(span), item })
}

/// `None` when it is no number, or none that an integer holds exactly.
pub(super) fn whole_number(value: &JsValue) -> Option<u64> {
    let number = value.as_f64()?;
    let whole = number as u64;
    (whole as f64 == number).then_some(whole)
}

fn frames(hellos: Vec<Hello>) -> JsValue {
    let hellos = hellos.into_iter().map(|hello| frame(&ClientMessage::Hello(hello)));
    hellos.collect::<Array>().into()
}

fn frame(message: &ClientMessage) -> JsValue {
    to_array(&message.encode())
}

fn to_array(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// Of a value whose form is known.
fn bytes_of(value: &JsValue, property: &str) -> Option<Vec<u8>> {
    let version = get(value, "version")?;
    if !version.is_undefined() && version != f64::from(VERSION) {
        return None;
    }
    Some(get(value, property)?.dyn_into::<Uint8Array>().ok()?.to_vec())
}

/// `None` when the value is no object.
fn get(value: &JsValue, property: &str) -> Option<JsValue> {
    Reflect::get(value, &property.into()).ok()
}

fn object<const PROPERTIES: usize>(properties: [(&str, Option<JsValue>); PROPERTIES]) -> JsValue {
    let object = Object::new();
    let version = ("version", Some(JsValue::from(VERSION)));
    for (name, value) in properties.into_iter().chain([version]) {
        if let Some(value) = value {
            // Only a frozen object or a setter of its own refuses a property.
            let _ = Reflect::set(&object, &name.into(), &value);
        }
    }
    object.into()
}
