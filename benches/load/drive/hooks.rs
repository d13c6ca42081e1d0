//! A connection that webhooks are posted over, kept alive. HTTP by hand: it shares the machine with
//! the server, and a client that does more takes more of it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stripe;

/// An answer that is longer is none of ours, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A connection to one endpoint, opened when it is first needed.
pub struct HookConnection {
    address: SocketAddr,
    path: String,
    stream: Option<TcpStream>,
}

impl HookConnection {
    /// To the endpoint at `path`.
    pub fn new(address: SocketAddr, path: &str) -> Self {
        Self { address, path: path.to_owned(), stream: None }
    }

    /// Posts a body, signed now, and returns the status of the answer.
    ///
    /// # Errors
    /// If there is no whole answer; the next post opens another connection.
    pub async fn post(&mut self, body: &[u8]) -> io::Result<u16> {
        let answer = self.try_post(body).await;
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn try_post(&mut self, body: &[u8]) -> io::Result<u16> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                self.stream.insert(stream)
            }
        };
        let mut request = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Stripe-Signature: {}\r\nContent-Length: {}\r\n\r\n",
            self.path,
            stripe::signature(body),
            body.len(),
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request).await?;
        read_answer(stream).await
    }
}

/// Reads one answer to its end.
async fn read_answer(stream: &mut TcpStream) -> io::Result<u16> {
    let mut answer = Vec::with_capacity(512);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some((status, length)) = whole(&answer)
            && answer.len() >= length
        {
            return Ok(status);
        }
    }
}

/// The status of an answer, and how many bytes it has, once its head is there.
fn whole(answer: &[u8]) -> Option<(u16, usize)> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..head_end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((status, head_end + length.unwrap_or(0)))
}
