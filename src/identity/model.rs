//! The words of identity: values that parse on construction, and what commands and queries give
//! out. Pure: no store, no clock.

use std::fmt;

use entity::enums::{KeyMode, Role};
use entity::ids::{AccountId, ApiKeyId, PersonId};
use entity::time::UnixMillis;
use entity::{account, session};

use crate::authz::Scope;
use crate::types::secret::SecretText;

/// Longest e-mail address, in characters (RFC 5321, 4.5.3.1.3, less the angle brackets).
pub const EMAIL_CHARS_MAX: usize = 254;
/// Longest part before the @ (RFC 5321, 4.5.3.1.1).
const LOCAL_PART_CHARS_MAX: usize = 64;
/// Longest name of an account or a person, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest name of an API key, in characters.
pub const KEY_NAME_CHARS_MAX: usize = 100;

/// An e-mail address in lower case. Its shape is checked, not that mail arrives there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct InvalidEmail;

impl Email {
    /// Reads an address; spaces around it and its case do not matter.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        let well_formed = !local.is_empty()
            && local.chars().count() <= LOCAL_PART_CHARS_MAX
            && text.chars().count() <= EMAIL_CHARS_MAX
            && !local.contains(odd)
            && domain.split('.').all(is_label);
        if well_formed { Ok(Self(text)) } else { Err(InvalidEmail) }
    }

    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the @.
    pub(super) fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

impl fmt::Debug for Email {
    /// Addresses are personal: they do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// A name as shown, of 1 to `CHARS_MAX` characters, on one line, without spaces around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<const CHARS_MAX: usize>(String);

/// The name of an account or a person.
pub type DisplayName = Name<NAME_CHARS_MAX>;
/// The name of an API key.
pub type KeyName = Name<KEY_NAME_CHARS_MAX>;

/// The text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {chars_max} characters on one line")]
pub struct InvalidName {
    /// The most characters of this kind of name.
    pub chars_max: usize,
}

impl<const CHARS_MAX: usize> Name<CHARS_MAX> {
    /// Reads a name; spaces around it are dropped.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        let chars = text.chars().count();
        if chars == 0 || chars > CHARS_MAX || text.chars().any(char::is_control) {
            return Err(InvalidName { chars_max: CHARS_MAX });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A person, without what only log-in needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// Lower case.
    pub email: String,
    /// As shown.
    pub name: Option<String>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the person signed up.
    pub created_at: UnixMillis,
}

impl From<entity::person::Model> for Person {
    fn from(row: entity::person::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            version: row.version,
            created_at: row.created_at_ms,
        }
    }
}

/// An API key, without its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Acts for this account.
    pub account_id: AccountId,
    /// As shown.
    pub name: String,
    /// The first 16 characters of the key.
    pub lookup: String,
    /// Live or test.
    pub mode: KeyMode,
    /// What it may do, sorted.
    pub scopes: Vec<Scope>,
    /// The person; none if made on the command line.
    pub created_by: Option<PersonId>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Refused from then on.
    pub expires_at: Option<UnixMillis>,
    /// Refused since.
    pub revoked_at: Option<UnixMillis>,
    /// To the minute, and written half a minute late.
    pub last_used_at: Option<UnixMillis>,
    /// The key that this one replaces.
    pub rotated_from: Option<ApiKeyId>,
    /// Grows by one with every change.
    pub version: i32,
}

impl ApiKey {
    /// Whether it is accepted at `now`.
    pub fn is_active(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

impl From<entity::api_key::Model> for ApiKey {
    fn from(row: entity::api_key::Model) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
            name: row.name,
            lookup: row.lookup,
            mode: row.mode,
            scopes: scopes_from_text(&row.scopes),
            created_by: row.created_by,
            created_at: row.created_at_ms,
            expires_at: row.expires_at_ms,
            revoked_at: row.revoked_at_ms,
            last_used_at: row.last_used_at_ms,
            rotated_from: row.rotated_from,
            version: row.version,
        }
    }
}

/// Scopes as they are stored: sorted, without doubles, one space between.
pub(super) fn scopes_to_text(scopes: &[Scope]) -> String {
    let sorted: std::collections::BTreeSet<_> = scopes.iter().map(|scope| scope.name()).collect();
    sorted.into_iter().collect::<Vec<_>>().join(" ")
}

/// The scopes of a stored text. A name that this version does not know grants nothing.
pub(super) fn scopes_from_text(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(Scope::from_name).collect()
}

/// A key just made. Its text is never shown again.
#[derive(Debug)]
pub struct NewApiKey {
    /// The row.
    pub api_key: ApiKey,
    /// The key itself.
    pub text: SecretText,
}

/// The tokens of a log-in.
#[derive(Debug)]
pub struct Tokens {
    /// A JWT, for `Authorization: Bearer`.
    pub access_token: SecretText,
    /// When the access token expires.
    pub access_expires_at: UnixMillis,
    /// Good for one refresh, until the log-in ends.
    pub refresh_token: SecretText,
}

/// A log-in just made, or refreshed.
#[derive(Debug)]
pub struct SignedIn {
    /// The log-in.
    pub session: session::Model,
    /// Its tokens.
    pub tokens: Tokens,
    /// Who.
    pub person: Person,
    /// Acting in which account.
    pub account: account::Model,
    /// As what.
    pub role: Role,
}

/// A link that may be used once: `<public_url>/welcome#<token>`. The token stands behind the `#`,
/// so that it is in no log of a proxy.
#[derive(Debug)]
pub struct OneTimeLink {
    /// The whole address.
    pub url: SecretText,
    /// Useless from then on.
    pub expires_at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_lower_case_and_have_a_shape() {
        for (text, parsed) in [
            (" Ada@Example.COM ", Some("ada@example.com")),
            ("owner@localhost", Some("owner@localhost")),
            ("o'neill+sms@x-y.co.uk", Some("o'neill+sms@x-y.co.uk")),
            ("jürgen@müller.de", Some("jürgen@müller.de")),
            ("", None),
            ("ada", None),
            ("@example.com", None),
            ("ada@", None),
            ("ada@example..com", None),
            ("ada@-example.com", None),
            ("ada@exa mple.com", None),
            ("a da@example.com", None),
            ("ada@b@example.com", None),
            ("ada\n@example.com", None),
            ("<ada@example.com>", None),
        ] {
            assert_eq!(Email::parse(text).ok().as_ref().map(Email::as_str), parsed, "{text:?}");
        }
        let long = |chars: usize| format!("{}@example.com", "x".repeat(chars));
        assert!(Email::parse(&long(LOCAL_PART_CHARS_MAX)).is_ok());
        assert!(Email::parse(&long(LOCAL_PART_CHARS_MAX + 1)).is_err());
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        let parse = |text: &str| Name::<5>::parse(text).ok().map(Name::into_string);
        assert_eq!(parse("  Ada "), Some("Ada".to_owned()));
        assert_eq!(parse("žžžžž"), Some("žžžžž".to_owned()));
        for text in ["", "   ", "sixsix", "a\nb"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn scopes_are_stored_sorted_once_each() {
        let text = scopes_to_text(&[Scope::MessagesSend, Scope::AccountRead, Scope::MessagesSend]);
        assert_eq!(text, "account:read messages:send");
        assert_eq!(scopes_from_text(&text), [Scope::AccountRead, Scope::MessagesSend]);
        assert_eq!(scopes_from_text("later:scope messages:read"), [Scope::MessagesRead]);
        assert_eq!(scopes_from_text(""), []);
    }
}
