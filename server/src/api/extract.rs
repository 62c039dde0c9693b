//! What requests carry, parsed once.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Bearer;
use ledger::By;
use protocol::{Epoch, SessionId, SessionToken, TokenHash};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::AppState;

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
pub(super) struct Caller(Option<TokenHash>);

impl Caller {
    /// A candidate may name the epoch that its writer was welcomed under.
    pub(super) fn by(self, epoch: Option<u64>) -> By {
        self.0.map_or(By::Reviewer, |token| By::Candidate { token, epoch: epoch.map(Epoch::new) })
    }
}

/// What a request without anything else to say may say.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfWriter {
    /// The epoch that the candidate's writer was welcomed under. Given: refused once a newer writer has
    /// taken over.
    epoch: Option<u64>,
}

impl OfWriter {
    pub(super) fn by(body: &[u8], caller: Caller) -> Result<By, ApiError> {
        let Self { epoch } = optional_body(body)?;
        Ok(caller.by(epoch))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let bearer =
            Option::<TypedHeader<Authorization<Bearer>>>::from_request_parts(parts, state).await;
        match bearer {
            Ok(None) => Ok(Self(None)),
            Ok(Some(TypedHeader(authorization))) => {
                let token: SessionToken =
                    authorization.token().parse().map_err(|_| ApiError::WrongToken)?;
                Ok(Self(Some(token.hash())))
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
