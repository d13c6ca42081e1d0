//! The id that an answer, its errors and its log lines share. Always our own: a client's id could
//! repeat, and a support case needs one that does not.

use std::fmt;

use uuid::Uuid;

/// Names one request, or one operation on a WebSocket: `req_` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct RequestId(pub Uuid);

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{}", self.0.as_simple())
    }
}
