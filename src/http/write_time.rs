//! A connection that does not wait for ever on a client that takes nothing: what is behind it, an
//! event stream above all, would be held as long.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::open::Open;

/// A connection whose writes fail after a time in which the other end took nothing. Holds its place
/// among the open ones, also once it has become a WebSocket.
pub(super) struct WriteTime<T> {
    io: T,
    max: Duration,
    _open: Option<Open>,
    /// Runs while a write waits. Boxed, for most connections never have one.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> WriteTime<T> {
    pub(super) const fn new(io: T, max: Duration, open: Option<Open>) -> Self {
        Self { io, max, _open: open, waiting: None }
    }

    /// `written`, unless it has been pending for too long.
    fn bounded<R>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let max = self.max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(max)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WriteTime<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WriteTime<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.bounded(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_write_that_nobody_takes_fails_after_its_time() {
        let (ours, _theirs) = duplex(4);
        let mut ours = WriteTime::new(ours, Duration::from_millis(20), None);
        ours.write_all(b"1234").await.unwrap();
        let error = ours.write_all(b"5").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_is_taken_gives_the_next_piece_its_own_time() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = WriteTime::new(ours, Duration::from_secs(3_600), None);
        let mut read = [0; 1];
        ours.write_all(b"1").await.unwrap();
        assert!(poll!(Box::pin(ours.write(b"2"))).is_pending());
        assert!(ours.waiting.is_some());
        theirs.read_exact(&mut read).await.unwrap();
        assert!(poll!(Box::pin(ours.write(b"2"))).is_ready());
        assert!(ours.waiting.is_none());
    }
}
