//! Answers deliveries once the house has committed them, or asks for them again.
//!
//! One future per waiting delivery, none of them a task.

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use rusmpp::CommandStatus;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::encode::{self, Delivered};
use super::session::Session;

/// A delivery that was passed on.
pub(super) struct Unacknowledged {
    pub what: Delivered,
    pub sequence_number: u32,
    pub done: oneshot::Receiver<()>,
    /// Makes room for the next delivery when it is dropped.
    pub permit: OwnedSemaphorePermit,
}

struct Acknowledged {
    what: Delivered,
    sequence_number: u32,
    status: CommandStatus,
    permit: OwnedSemaphorePermit,
}

/// Runs until the session is down. What is unanswered then is delivered again by the carrier.
pub(super) async fn acknowledge(
    session: &Session,
    mut new: mpsc::UnboundedReceiver<Unacknowledged>,
) {
    let mut waiting = FuturesUnordered::new();
    loop {
        let first = tokio::select! {
            Some(unacknowledged) = new.recv() => {
                waiting.push(resolve(unacknowledged));
                continue;
            }
            Some(acknowledged) = waiting.next() => acknowledged,
            () = session.down.cancelled() => return,
        };
        answer(session, first);
        while let Some(Some(next)) = waiting.next().now_or_never() {
            answer(session, next);
        }
        session.wake.notify_one();
    }
}

async fn resolve(unacknowledged: Unacknowledged) -> Acknowledged {
    let Unacknowledged { what, sequence_number, done, permit } = unacknowledged;
    let status = match done.await {
        Ok(()) => CommandStatus::EsmeRok,
        // Dropped: not committed. ESME_RX_T_APPN asks the carrier to try again later.
        Err(_) => CommandStatus::EsmeRxTAppn,
    };
    Acknowledged { what, sequence_number, status, permit }
}

fn answer(session: &Session, acknowledged: Acknowledged) {
    let Acknowledged { what, sequence_number, status, permit } = acknowledged;
    if status != CommandStatus::EsmeRok {
        session.hub.meters.not_acknowledged.increment(1);
    }
    encode::delivered(&mut session.traffic().control, what, status, sequence_number);
    drop(permit);
}
