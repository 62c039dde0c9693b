//! The OpenAPI document, and a page to read it and try it out (Swagger UI, inside the binary).

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use utoipa_swagger_ui::Config;

use crate::error::ApiError;

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::new(["/api/openapi.json"])
            .use_base_layout()
            .default_models_expand_depth(0),
    )
});

pub(super) async fn openapi(json: String) -> Response {
    let json_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json_type)], json).into_response()
}

pub(super) async fn redirect() -> Redirect {
    Redirect::permanent("/api/docs/")
}

pub(super) async fn index() -> Result<Response, ApiError> {
    serve("")
}

pub(super) async fn file(Path(file): Path<String>) -> Result<Response, ApiError> {
    serve(&file)
}

fn serve(file: &str) -> Result<Response, ApiError> {
    match utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG)) {
        Ok(Some(found)) => {
            let content_type = found
                .content_type
                .parse::<HeaderValue>()
                .map_err(|error| ApiError::Internal(error.into()))?;
            Ok(([(header::CONTENT_TYPE, content_type)], found.bytes).into_response())
        }
        Ok(None) => Err(ApiError::NoSuchAddress),
        Err(error) => Err(ApiError::Internal(anyhow::anyhow!("Swagger UI: {error}"))),
    }
}
