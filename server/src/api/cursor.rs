//! Places in a list as clients see them: opaque, but safe in a link.

use protocol::{SessionStatus, UnixMillis};

use crate::error::ApiError;
use crate::store::PageKey;

pub(crate) fn text(key: PageKey) -> String {
    format!("{}~{}", key.created_at.get(), key.id)
}

pub(crate) fn parse(text: impl AsRef<str>) -> Result<PageKey, ApiError> {
    text.as_ref()
        .split_once('~')
        .and_then(|(created_at, id)| {
            Some(PageKey {
                created_at: UnixMillis::new(created_at.parse().ok()?),
                id: id.parse().ok()?,
            })
        })
        .ok_or_else(|| ApiError::BadRequest("`before` is not a place in this list.".into()))
}

pub(crate) fn status(word: impl AsRef<str>) -> Result<SessionStatus, ApiError> {
    word.as_ref()
        .parse()
        .map_err(|error: protocol::status::UnknownStatus| ApiError::BadRequest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form_and_nothing_else_is_one() {
        let created_at = UnixMillis::new(1_795_257_600_000);
        let id = protocol::SessionId::from_parts(created_at, [1; 10]);
        let key = PageKey { created_at, id };
        assert_eq!(parse(text(key)).ok(), Some(key));
        for wrong in ["", "~", "5", "5~x", "-5~01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
