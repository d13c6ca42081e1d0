//! What a message is sent from, as the phone shows it: a name, a number or a short code. Not
//! whether an account may use it (that is `messages`), nor its SMPP type of number (`carriers`).

use std::fmt;

use thiserror::Error;

use super::phone::{PhoneNumber, PhoneNumberError};
use super::sms_text::gsm7;

/// The longest name, in septets: 11 fill the ten octets of a TP-OA address field. Source: 3GPP
/// TS 23.040, 9.1.2.5.
pub const ALPHANUMERIC_SEPTETS_MAX: usize = 11;
/// The shortest short code, in digits.
pub const SHORT_CODE_DIGITS_MIN: usize = 3;
/// The longest short code, in digits; above it a bare number is read as E.164.
pub const SHORT_CODE_DIGITS_MAX: usize = 8;

/// A parsed sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// At most 11 characters of the GSM alphabet, at least one of them a letter.
    Alphanumeric(AlphanumericSender),
    /// A number that can be answered.
    International(PhoneNumber),
    /// 3 to 8 digits that one country's networks know.
    ShortCode(ShortCode),
}

/// The text of an alphanumeric sender; only [`Sender::parse`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlphanumericSender(String);

/// The digits of a short code; only [`Sender::parse`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShortCode(String);

/// Why a text is not a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SenderError {
    /// Nothing but blanks.
    #[error("the sender is empty")]
    Empty,
    /// More than 11 characters of the GSM alphabet (those of its extension count twice).
    #[error("an alphanumeric sender has at most 11 characters")]
    TooLong,
    /// A character that is not in the GSM alphabet, or a line break.
    #[error("a sender has only characters of the GSM alphabet")]
    ForbiddenCharacter(char),
    /// Only digits and signs, and too short for a short code.
    #[error("a sender of digits alone is a short code of 3 to 8 digits or a number in E.164")]
    NoLetter,
    /// Meant as a number, and not one.
    #[error("not a valid sender number: {0}")]
    Number(PhoneNumberError),
}

impl Sender {
    /// Reads a sender: with a letter it is a name; with a plus sign, or more than 8 digits, a
    /// number in E.164; else a short code. Blanks around it are dropped.
    ///
    /// # Errors
    /// [`SenderError`].
    pub fn parse(input: &str) -> Result<Self, SenderError> {
        let text = input.trim();
        if text.is_empty() {
            return Err(SenderError::Empty);
        }
        if text.chars().any(char::is_alphabetic) {
            return alphanumeric(text);
        }
        if text.starts_with('+') {
            return international(text);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SenderError::NoLetter);
        }
        match text.len() {
            0..SHORT_CODE_DIGITS_MIN => Err(SenderError::NoLetter),
            SHORT_CODE_DIGITS_MIN..=SHORT_CODE_DIGITS_MAX => {
                Ok(Self::ShortCode(ShortCode(text.to_owned())))
            }
            // Longer than any number: no need to copy it first.
            _ if text.len() > super::phone::DIGITS_MAX => {
                Err(SenderError::Number(PhoneNumberError::ImpossibleLength))
            }
            _ => international(&format!("+{text}")),
        }
    }
}

impl AlphanumericSender {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ShortCode {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn alphanumeric(text: &str) -> Result<Sender, SenderError> {
    let mut septets = 0;
    for char in text.chars() {
        let code = gsm7::encode(char).filter(|_| !char.is_control());
        septets += code.ok_or(SenderError::ForbiddenCharacter(char))?.septets();
        if septets > ALPHANUMERIC_SEPTETS_MAX {
            return Err(SenderError::TooLong);
        }
    }
    Ok(Sender::Alphanumeric(AlphanumericSender(text.to_owned())))
}

fn international(text: &str) -> Result<Sender, SenderError> {
    PhoneNumber::parse(text, None).map(Sender::International).map_err(SenderError::Number)
}

impl fmt::Display for Sender {
    /// The form that is stored and shown; [`Sender::parse`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alphanumeric(name) => f.write_str(&name.0),
            Self::International(number) => f.write_str(number.e164()),
            Self::ShortCode(code) => f.write_str(&code.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_kind() {
        for (input, kind, shown) in [
            ("Heliograph", "name", "Heliograph"),
            (" ACME 24 ", "name", "ACME 24"),
            ("Müller&Söhn", "name", "Müller&Söhn"),
            ("12345678901".replace('1', "a").as_str(), "name", "a234567890a"),
            ("123", "code", "123"),
            ("12345678", "code", "12345678"),
            ("447400123456", "number", "+447400123456"),
            ("+44 7400 123456", "number", "+447400123456"),
        ] {
            let sender = Sender::parse(input).expect(input);
            let found = match &sender {
                Sender::Alphanumeric(_) => "name",
                Sender::International(_) => "number",
                Sender::ShortCode(_) => "code",
            };
            assert_eq!((found, sender.to_string().as_str()), (kind, shown), "{input}");
            assert_eq!(Sender::parse(&sender.to_string()), Ok(sender));
        }
    }

    #[test]
    fn refuses_the_rest() {
        use SenderError::*;
        for (input, wanted) in [
            ("", Empty),
            ("  ", Empty),
            ("12", NoLetter),
            ("1-2-3", NoLetter),
            ("!!!", NoLetter),
            ("abcdefghijkl", TooLong),
            // Ten septets and an escape pair.
            ("abcdefghij€", TooLong),
            ("Привет", ForbiddenCharacter('П')),
            ("a\nb", ForbiddenCharacter('\n')),
            ("a\u{1B}b", ForbiddenCharacter('\u{1B}')),
            ("123456789", Number(PhoneNumberError::ImpossibleLength)),
            ("12000000000", Number(PhoneNumberError::Invalid)),
            ("1234567890123456", Number(PhoneNumberError::ImpossibleLength)),
            ("+999", Number(PhoneNumberError::UnassignedCountryCode)),
        ] {
            assert_eq!(Sender::parse(input), Err(wanted), "{input}");
        }
        assert!(Sender::parse("abcdefghi€").is_ok());
    }
}
