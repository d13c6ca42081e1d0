//! Signed links to files of contacts: what a link is to, until when, and a keyed hash of both. Nothing
//! of them is kept. Whoever has a link needs no credential, so links are told to those alone who may
//! do what they are for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::ids::AccountId;
use entity::time::UnixMillis;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::{MasterKey, Purpose};

/// Bytes of a link's hash: 128 bits cannot be guessed.
const MAC_BYTES: usize = 16;
/// Kind, account, object, seconds until its end.
const FACTS_BYTES: usize = 1 + 16 + 16 + 8;

/// What a link is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Takes the file of an import in.
    Upload = 1,
    /// What is wrong with the rows of an import.
    ImportErrors = 2,
    /// The file of an export.
    Export = 3,
}

/// A link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileLink {
    pub(super) kind: FileKind,
    pub(super) account_id: AccountId,
    /// The import or export.
    pub(super) id: Uuid,
    /// To the second.
    pub(super) expires_at: UnixMillis,
}

impl FileLink {
    /// The link's text, of letters, digits, hyphens and underscores.
    pub(super) fn sign(self, key: &MasterKey) -> String {
        let mut bytes = Vec::with_capacity(FACTS_BYTES + MAC_BYTES);
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(self.account_id.0.as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.expires_at.0.div_euclid(1_000).to_be_bytes());
        let mac = key.hash(Purpose::FileLink, &bytes);
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What was signed; none for what was not, or is cut off or changed.
    pub(super) fn read(key: &MasterKey, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (facts, mac) = bytes.split_at_checked(FACTS_BYTES)?;
        let expected = key.hash(Purpose::FileLink, facts);
        if !bool::from(expected[..MAC_BYTES].ct_eq(mac)) {
            return None;
        }
        let kind = match facts[0] {
            1 => FileKind::Upload,
            2 => FileKind::ImportErrors,
            3 => FileKind::Export,
            _ => return None,
        };
        let seconds = i64::from_be_bytes(facts[33..].try_into().ok()?);
        Some(Self {
            kind,
            account_id: AccountId(Uuid::from_slice(&facts[1..17]).ok()?),
            id: Uuid::from_slice(&facts[17..33]).ok()?,
            expires_at: UnixMillis(seconds.checked_mul(1_000)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Randomness;

    #[test]
    fn a_link_is_read_back_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let key = MasterKey::in_directory(directory.path(), &Randomness::seeded(1)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let other = MasterKey::in_directory(directory.path(), &Randomness::seeded(2)).unwrap();
        let link = FileLink {
            kind: FileKind::Export,
            account_id: AccountId(Uuid::from_u128(1)),
            id: Uuid::from_u128(2),
            expires_at: UnixMillis(1_767_571_200_000),
        };
        let text = link.sign(&key);
        assert_eq!(FileLink::read(&key, &text), Some(link));
        assert_eq!(FileLink::read(&other, &text), None);
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(FileLink::read(&key, &changed), None, "{place}");
            assert_eq!(FileLink::read(&key, &text[..place]), None, "{place}");
        }
        assert_eq!(FileLink::read(&key, "é"), None);
    }
}
