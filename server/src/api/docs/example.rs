//! A `curl` command for each operation, ready to be pasted into a shell.

use axum::http::{HeaderMap, header};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Required};

const BYTES: &str = "application/octet-stream";
const HOST_DEFAULT: &str = "127.0.0.1:3000";

/// Where the reader found this server. The host comes from the request and ends up in a shell:
/// whatever is more than a name or an address with a port is not repeated.
pub(super) fn base(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_plain = |host: &&str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let host = text(header::HOST.as_str()).filter(is_plain).unwrap_or(HOST_DEFAULT);
    let scheme = match text("x-forwarded-proto") {
        Some("https") => "https",
        Some(_) | None => "http",
    };
    format!("{scheme}://{host}")
}

/// A place in the path becomes a shell variable: `{id}` is `$ID`.
pub(super) fn curl(base: &str, method: &str, path: &str, operation: &Operation) -> String {
    let mut command = "curl".to_owned();
    if method != "GET" {
        command.push_str(&format!(" -X {method}"));
    }
    if takes_bytes(operation) && answers_with_a_file(operation) {
        command.push_str(" -o answer.bin");
    } else if answers_with_a_file(operation) {
        command.push_str(" -OJ");
    }
    command.push_str(&format!(" \"{base}{}\"", with_variables(path)));
    if takes_a_token(path, operation) {
        command.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        let (content_type, data) = match body.required {
            _ if takes_bytes(operation) => (BYTES, "--data-binary @body.bin"),
            Some(Required::True) => ("application/json", "-d @body.json"),
            Some(Required::False) | None => ("application/json", "-d '{}'"),
        };
        command.push_str(&format!(" \\\n  -H \"Content-Type: {content_type}\" {data}"));
    }
    command
}

fn with_variables(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            .map_or_else(|| part.to_owned(), |name| format!("${}", name.to_uppercase()))
    });
    parts.collect::<Vec<_>>().join("/")
}

/// It is about one session and may be refused. Bytes carry their token inside.
fn takes_a_token(path: &str, operation: &Operation) -> bool {
    path.contains('{')
        && operation.responses.responses.contains_key("403")
        && !takes_bytes(operation)
}

fn takes_bytes(operation: &Operation) -> bool {
    let Some(RefOr::T(body)) = &operation.request_body else { return false };
    body.content.contains_key(BYTES)
}

fn answers_with_a_file(operation: &Operation) -> bool {
    let Some(RefOr::T(success)) = operation.responses.responses.get("200") else { return false };
    success.content.keys().any(|content_type| !content_type.ends_with("json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    fn headers(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, host.parse().unwrap())])
    }

    #[test]
    fn the_address_is_the_one_that_the_reader_uses() {
        assert_eq!(base(&headers("holdfast.example:8443")), "http://holdfast.example:8443");
        assert_eq!(base(&headers("[::1]:3000")), "http://[::1]:3000");
        let mut behind_a_proxy = headers("holdfast.example");
        behind_a_proxy.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(base(&behind_a_proxy), "https://holdfast.example");
    }

    #[test]
    fn a_host_that_a_shell_would_run_is_not_repeated() {
        for host in ["$(id)", "a\";id;\"", "`id`", "a b", ""] {
            assert_eq!(base(&headers(host)), "http://127.0.0.1:3000", "{host}");
        }
    }

    #[test]
    fn commands_say_method_token_body_and_file() {
        let (_, document) = api::routes();
        let command = |path: &str| {
            let item = &document.paths.paths[path];
            let (method, operation) = match (&item.get, &item.post) {
                (Some(get), _) => ("GET", get),
                (None, Some(post)) => ("POST", post),
                (None, None) => panic!("{path} has neither"),
            };
            curl("http://h", method, path, operation)
        };
        assert_eq!(command("/api/sessions"), "curl \"http://h/api/sessions\"");
        assert_eq!(
            command("/api/sessions/{id}/recording"),
            "curl -OJ \"http://h/api/sessions/$ID/recording\""
        );
        assert_eq!(
            command("/api/sessions/{id}/finish"),
            "curl -X POST \"http://h/api/sessions/$ID/finish\" \\\n  \
             -H \"Authorization: Bearer $TOKEN\" \\\n  \
             -H \"Content-Type: application/json\" -d '{}'"
        );
        let bytes = "-H \"Content-Type: application/octet-stream\" --data-binary @body.bin";
        assert_eq!(
            command("/api/sessions/{id}/tail"),
            format!("curl -X POST \"http://h/api/sessions/$ID/tail\" \\\n  {bytes}")
        );
        assert_eq!(
            command("/api/sessions/{id}/items"),
            format!("curl -X POST -o answer.bin \"http://h/api/sessions/$ID/items\" \\\n  {bytes}")
        );
    }
}
