//! Where to listen: a host, by its address or its name, and a port.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

use tokio::net::TcpListener;

/// Such as `127.0.0.1:3000`, `[::]:3000` or `localhost:3000`. What a name means is asked when it is
/// listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address looks like 127.0.0.1:3000, [::1]:3000 or localhost:3000")]
pub struct NoAddress;

impl FromStr for ListenAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        let (name, port) = text.rsplit_once(':').ok_or(NoAddress)?;
        let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(is_of_a_name);
        if !is_name || port.parse::<u16>().is_err() {
            return Err(NoAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ListenAddress {
    /// On one address: of several that a name has, the first that can be listened on.
    pub(crate) async fn bind(&self) -> io::Result<TcpListener> {
        TcpListener::bind(self.0.as_str()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_given_by_address_or_name_and_always_with_a_port() {
        for text in ["127.0.0.1:3000", "0.0.0.0:0", "[::1]:80", "localhost:3000", "rec-1.lan:65535"]
        {
            assert_eq!(
                text.parse().map(|address: ListenAddress| address.to_string()),
                Ok(text.into())
            );
        }
        for text in [
            "",
            "localhost",
            "3000",
            ":3000",
            "localhost:",
            "localhost:65536",
            "::1:80",
            "a b:1",
            "http://x:1",
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(NoAddress), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_is_listened_on() {
        let address: ListenAddress = "localhost:0".parse().unwrap();
        let listener = address.bind().await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        let nowhere: ListenAddress = "no-such-host.invalid:0".parse().unwrap();
        assert!(nowhere.bind().await.is_err());
    }
}
