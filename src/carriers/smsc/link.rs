//! One connection's octets: a fixed area to read into, a growing one to write from, and one
//! future that moves both ways. No PDU is known here.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The area that is read into: some 500 submissions a system call.
const INPUT_OCTETS: usize = 64 * 1024;
/// Octets waiting to be written above which nothing more is read: the peer does not listen.
pub(super) const OUTPUT_OCTETS_MAX: usize = 1024 * 1024;

/// A stream with its areas.
pub(super) struct Link<S> {
    stream: S,
    input: Box<[u8]>,
    /// The unread octets are `input[start..end]`.
    start: usize,
    end: usize,
    /// What is to be written.
    pub output: Vec<u8>,
    written: usize,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// Octets, in or out.
    Octets,
    /// The peer sent its last.
    Ended,
}

/// Whether to read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    Off,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        let input = vec![0; INPUT_OCTETS].into_boxed_slice();
        Self { stream, input, start: 0, end: 0, output: Vec::new(), written: 0 }
    }

    /// What was read and not yet consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// Drops `octets` from the front of the unread ones.
    pub(super) fn consume(&mut self, octets: usize) {
        self.start = (self.start + octets).min(self.end);
    }

    /// The unread octets and the output, at the same time.
    pub(super) fn split(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.input[self.start..self.end], &mut self.output)
    }

    /// Octets that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.output.len() - self.written
    }

    /// Resolves as soon as something was read, or everything was written. Safe to drop: nothing
    /// is lost.
    ///
    /// # Errors
    /// Of the stream.
    pub(super) async fn progress(&mut self, reading: Reading) -> io::Result<Moved> {
        poll_fn(|context| self.poll_progress(context, reading)).await
    }

    fn poll_progress(
        &mut self,
        context: &mut Context<'_>,
        reading: Reading,
    ) -> Poll<io::Result<Moved>> {
        let flushed = self.poll_write_all(context)?;
        let read = match reading {
            Reading::On => self.poll_read_some(context)?,
            Reading::Off => Poll::Pending,
        };
        match (read, flushed) {
            (Poll::Ready(moved), _) => Poll::Ready(Ok(moved)),
            (Poll::Pending, Flushed::All) => Poll::Ready(Ok(Moved::Octets)),
            (Poll::Pending, Flushed::Nothing) => Poll::Pending,
        }
    }

    fn poll_write_all(&mut self, context: &mut Context<'_>) -> io::Result<Flushed> {
        if self.unwritten() == 0 {
            return Ok(Flushed::Nothing);
        }
        while self.unwritten() > 0 {
            let rest = &self.output[self.written..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(octets)) => self.written += octets,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(Flushed::Nothing),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(Flushed::All)
    }

    fn poll_read_some(&mut self, context: &mut Context<'_>) -> io::Result<Poll<Moved>> {
        if self.start > 0 {
            // What is left is less than one PDU, so this moves little.
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let mut room = ReadBuf::new(&mut self.input[self.end..]);
        match Pin::new(&mut self.stream).poll_read(context, &mut room) {
            Poll::Ready(Ok(())) if room.filled().is_empty() => Ok(Poll::Ready(Moved::Ended)),
            Poll::Ready(Ok(())) => {
                self.end += room.filled().len();
                Ok(Poll::Ready(Moved::Octets))
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}

/// What a try to write left behind.
#[derive(Clone, Copy)]
enum Flushed {
    /// There was something, and it is all written.
    All,
    /// There was nothing, or some is left.
    Nothing,
}
