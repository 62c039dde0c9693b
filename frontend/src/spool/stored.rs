//! How records and items lie in the database. Beside what a page needs to go on stands, ready-made,
//! what the service worker posts when no page is left: it knows nothing of the protocol.
//!
//! | value | property | |
//! |---|---|---|
//! | a session | `record` | the session's record, in postcard |
//! | | `hellos` | the frames that open the session, to be tried in turn; absent when nothing of it is to be sent |
//! | | `finish` | the frame that finishes it, once the candidate has asked for that |
//! | an item | `span` | the media time that it covers, in milliseconds |
//! | | `frame` | the message that holds the item and nothing else |

use js_sys::{Array, Object, Reflect, Uint8Array};
use protocol::message::Hello;
use protocol::sender::{Dispatch, SessionRecord};
use protocol::{ClientMessage, Item, Millis};
use wasm_bindgen::{JsCast, JsValue};

/// A stored item, and how much media time it covers.
pub(crate) struct Stored {
    pub(crate) span: Millis,
    pub(crate) item: Item,
}

pub(crate) fn record_to_value(record: &SessionRecord) -> JsValue {
    let bytes = postcard::to_stdvec(record).expect("postcard encodes every record");
    let (hellos, finish) = match record.dispatch() {
        Some(Dispatch { hellos, finish }) => (Some(frames(hellos)), finish),
        None => (None, None),
    };
    let finish = finish.map(|finish| frame(&ClientMessage::Finish(finish)));
    object([("record", Some(to_array(&bytes))), ("hellos", hellos), ("finish", finish)])
}

pub(crate) fn record_from_value(value: &JsValue) -> Option<SessionRecord> {
    postcard::from_bytes(&bytes_of(value, "record")?).ok()
}

pub(crate) fn item_to_value(item: Item, span: Millis) -> JsValue {
    object([
        ("span", Some(JsValue::from_f64(span.get() as f64))),
        ("frame", Some(frame(&ClientMessage::Items(vec![item])))),
    ])
}

pub(crate) fn item_from_value(value: &JsValue) -> Option<Stored> {
    let span = Reflect::get(value, &"span".into()).ok()?.as_f64()?;
    let item = item_in(&bytes_of(value, "frame")?)?;
    Some(Stored { span: Millis::new(span as u64), item })
}

fn item_in(frame: &[u8]) -> Option<Item> {
    match ClientMessage::decode(frame).ok()? {
        ClientMessage::Items(items) => items.into_iter().next(),
        ClientMessage::Hello(_)
        | ClientMessage::Heartbeat(_)
        | ClientMessage::Finish(_)
        | ClientMessage::Discard => None,
    }
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

fn bytes_of(value: &JsValue, property: &str) -> Option<Vec<u8>> {
    let array = Reflect::get(value, &property.into()).ok()?.dyn_into::<Uint8Array>().ok()?;
    Some(array.to_vec())
}

fn object<const PROPERTIES: usize>(properties: [(&str, Option<JsValue>); PROPERTIES]) -> JsValue {
    let object = Object::new();
    for (name, value) in properties {
        if let Some(value) = value {
            // Only a frozen object or a setter of its own refuses a property.
            let _ = Reflect::set(&object, &name.into(), &value);
        }
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Content, Marker, Seq};

    #[test]
    fn an_item_is_taken_out_of_its_frame_and_out_of_no_other() {
        let item = Item::new(Seq::new(7), Millis::new(250), Content::Marker(Marker::Paused));
        let frame = ClientMessage::Items(vec![item.clone()]).encode();
        assert_eq!(item_in(&frame), Some(item));
        assert_eq!(item_in(&ClientMessage::Items(Vec::new()).encode()), None);
        assert_eq!(item_in(&ClientMessage::Discard.encode()), None);
        assert_eq!(item_in(&[0xff]), None);
    }
}
