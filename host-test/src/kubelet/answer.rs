//! Answers that come whole, bit by bit, in part, or without end.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// The body of an answer.
pub(super) enum Answer {
    /// All at once.
    Whole(Option<Bytes>),
    /// A byte at a time.
    Slow { rest: Bytes, pause: Pin<Box<Sleep>> },
    /// This much, and then the connection breaks.
    BrokenOff { first: Option<Bytes>, promised: u64 },
    /// This much, and then nothing.
    Stall(Option<Bytes>),
    /// This, again and again.
    Endless { first: Option<Bytes>, again: Bytes },
}

impl Answer {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Answer {
        Answer::Whole(Some(bytes.into()))
    }

    pub(super) fn slow(bytes: Bytes) -> Answer {
        Answer::Slow { rest: bytes, pause: Box::pin(sleep(PAUSE)) }
    }

    pub(super) fn half(bytes: &Bytes) -> Bytes {
        bytes.slice(..bytes.len() / 2)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let data = |bytes: Option<Bytes>| Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
        match self.get_mut() {
            Answer::Whole(bytes) => data(bytes.take()),
            Answer::Slow { rest, pause } => {
                if rest.is_empty() {
                    return data(None);
                }
                match pause.as_mut().poll(context) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => {
                        pause.as_mut().reset(Instant::now() + PAUSE);
                        data(Some(rest.split_to(1)))
                    }
                }
            }
            Answer::BrokenOff { first, .. } => match first.take() {
                Some(bytes) => data(Some(bytes)),
                None => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
            },
            Answer::Stall(first) => match first.take() {
                Some(bytes) => data(Some(bytes)),
                None => Poll::Pending,
            },
            Answer::Endless { first, again } => data(Some(first.take().unwrap_or_else(|| again.clone()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Answer::BrokenOff { promised, .. } => SizeHint::with_exact(*promised),
            _ => SizeHint::default(),
        }
    }
}

/// Between two bytes of a slow answer: never long enough for silence, always too long for the whole.
const PAUSE: Duration = Duration::from_millis(20);
