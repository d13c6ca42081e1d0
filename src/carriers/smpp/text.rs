//! Which of the platform's decoders reads which inbound alphabet.

pub(super) use crate::types::sms_text::{
    ShiftTables, decode_latin1 as latin1, decode_ucs2_be as ucs2_be, elements,
};
