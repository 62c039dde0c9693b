//! What requests carry, parsed once.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Bearer;
use protocol::{SessionId, SessionToken};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::AppState;
use crate::store::Whose;

/// The session in the path. Whatever is no session id names no session.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionPath(pub(super) SessionId);

impl FromRequestParts<AppState> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await?;
        id.parse().map(Self).map_err(|_| ApiError::UnknownSession)
    }
}

/// On whose word: the candidate's with a bearer token, a reviewer's without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) Whose);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let bearer =
            Option::<TypedHeader<Authorization<Bearer>>>::from_request_parts(parts, state).await;
        match bearer {
            Ok(None) => Ok(Self(Whose::Reviewer)),
            Ok(Some(TypedHeader(authorization))) => {
                let token: SessionToken =
                    authorization.token().parse().map_err(|_| ApiError::WrongToken)?;
                Ok(Self(Whose::Candidate(token.hash())))
            }
            Err(_) => Err(ApiError::BadRequest("The Authorization header is malformed.".into())),
        }
    }
}

/// A JSON body that may be left out.
pub(super) fn optional_body<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, ApiError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let parsed: Option<T> =
        serde_json::from_slice(body).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    Ok(parsed.unwrap_or_default())
}
