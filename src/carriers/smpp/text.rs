//! Which of the platform's decoders reads which inbound alphabet.

pub(super) use crate::types::sms_text::{
    decode_gsm7_unpacked as gsm7_unpacked, decode_latin1 as latin1, decode_ucs2_be as ucs2_be,
};
