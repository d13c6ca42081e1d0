//! The keywords that every account has, what is answered to them, and how a message is read as one.
//! Pure.
//!
//! The opt-out words are those that carriers and regulators name (CTIA Messaging Principles 5.1.3,
//! 47 CFR 64.1200(a)(10) for English), and their everyday translations. Any language's list opts out.

use std::collections::HashMap;
use std::sync::LazyLock;

use entity::enums::{KeywordAction, KeywordLanguage};
use unicode_normalization::UnicodeNormalization;

use KeywordAction::{Help, OptIn, OptOut};
use KeywordLanguage::{Ar, De, En, Es, Fr, Hi, Id, It, Nl, Pt, Sw, Tr, Ur};

/// Characters of a message beyond which it is no keyword, whatever it says: what is normalized is
/// bounded.
const MESSAGE_CHARS_MAX: usize = 100;

/// The words, each language's own.
const WORDS: &[(KeywordLanguage, KeywordAction, &[&str])] = &[
    (
        En,
        OptOut,
        &["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "remove"],
    ),
    (Fr, OptOut, &["arret", "desabonner"]),
    (Es, OptOut, &["parar", "baja", "alto"]),
    (Pt, OptOut, &["sair", "parar"]),
    (De, OptOut, &["stopp", "abmelden"]),
    (It, OptOut, &["basta"]),
    (Nl, OptOut, &["afmelden"]),
    (Tr, OptOut, &["dur", "iptal"]),
    (Sw, OptOut, &["acha", "sitisha"]),
    (Id, OptOut, &["berhenti"]),
    (Ar, OptOut, &["توقف", "إلغاء"]),
    (Ur, OptOut, &["بندکریں"]),
    (Hi, OptOut, &["रोकें", "बंद"]),
    (En, OptIn, &["start", "unstop", "yes"]),
    (Fr, OptIn, &["demarrer"]),
    (Es, OptIn, &["iniciar"]),
    (Pt, OptIn, &["recomecar"]),
    (De, OptIn, &["starten"]),
    (It, OptIn, &["inizia"]),
    (Nl, OptIn, &["aanmelden"]),
    (Tr, OptIn, &["basla"]),
    (Sw, OptIn, &["anza"]),
    (Id, OptIn, &["mulai"]),
    (Ar, OptIn, &["ابدأ"]),
    (Ur, OptIn, &["شروع"]),
    (Hi, OptIn, &["शुरू"]),
    (En, Help, &["help", "info"]),
    (Fr, Help, &["aide"]),
    (Es, Help, &["ayuda"]),
    (Pt, Help, &["ajuda"]),
    (De, Help, &["hilfe"]),
    (It, Help, &["aiuto"]),
    (Nl, Help, &["hulp"]),
    (Tr, Help, &["yardim"]),
    (Sw, Help, &["msaada"]),
    (Id, Help, &["bantuan"]),
    (Ar, Help, &["مساعدة"]),
    (Ur, Help, &["مدد"]),
    (Hi, Help, &["मदद"]),
];

/// A message that may be a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its words, normalized.
    words: Vec<String>,
}

impl Candidate {
    /// A message as its words: compatibility forms, case, accents, Arabic letter variants and
    /// invisible characters are set aside; whatever is neither letter nor digit parts words. None if
    /// it is too long for a keyword, or has no word.
    pub fn of(text: &str) -> Option<Self> {
        if text.chars().nth(MESSAGE_CHARS_MAX).is_some() {
            return None;
        }
        let mut words = vec![String::new()];
        for char in text.nfkc().flat_map(char::to_lowercase).nfd().filter_map(folded) {
            if is_of_a_word(char) {
                if let Some(word) = words.last_mut() {
                    word.push(char);
                }
            } else if words.last().is_some_and(|word| !word.is_empty()) {
                words.push(String::new());
            }
        }
        let compose = |word: String| word.nfc().collect::<String>();
        let words: Vec<_> =
            words.into_iter().filter(|word| !word.is_empty()).map(compose).collect();
        (!words.is_empty()).then_some(Self { words })
    }

    /// All words as one, so that "opt-out" and "STOP ALL" are read like "optout" and "stopall".
    pub fn whole(&self) -> String {
        self.words.concat()
    }

    /// The first and the second of just two words.
    pub fn pair(&self) -> Option<(&str, &str)> {
        match self.words.as_slice() {
            [first, second] => Some((first, second)),
            _ => None,
        }
    }
}

/// A keyword in the form in which keywords are compared; none if it has no letter or digit, or is too
/// long.
pub fn compact(word: &str) -> Option<String> {
    Candidate::of(word).map(|candidate| candidate.whole())
}

/// What the word means in every account, and in which language: the first that has it.
pub fn meaning(word: &str) -> Option<(KeywordAction, KeywordLanguage)> {
    static MEANINGS: LazyLock<HashMap<String, (KeywordAction, KeywordLanguage)>> =
        LazyLock::new(|| {
            let mut meanings = HashMap::new();
            for (language, action, words) in WORDS {
                for word in words.iter().filter_map(|word| compact(word)) {
                    meanings.entry(word).or_insert((*action, *language));
                }
            }
            meanings
        });
    MEANINGS.get(word).copied()
}

/// A character as it is compared; none for one that does not count: accents of Latin letters, Arabic
/// vowel signs and hamzas, and what is not seen.
fn folded(char: char) -> Option<char> {
    match char {
        '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{670}' => None,
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{640}' => None,
        // Turkish writes İ and ı where others write I and i.
        'ı' => Some('i'),
        // Arabic keyboards write what Urdu writes with letters of its own.
        'ك' => Some('ک'),
        'ي' | 'ى' => Some('ی'),
        char => Some(char),
    }
}

/// Letters, digits, and the signs that Devanagari writes its vowels with.
fn is_of_a_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}')
}

/// What is answered where the account has no words of its own. At most two parts in any language.
pub fn default_answer(action: KeywordAction, language: KeywordLanguage, name: &str) -> String {
    let text = match (action, language) {
        (OptOut, En) => {
            "You are unsubscribed and will get no more messages from this number. Reply START to get them again."
        }
        (OptOut, Fr) => {
            "Vous êtes désabonné et ne recevrez plus de messages de ce numéro. Répondez START pour en recevoir à nouveau."
        }
        (OptOut, Es) => {
            "Se ha dado de baja y no recibirá más mensajes de este número. Responda START para recibirlos de nuevo."
        }
        (OptOut, Pt) => {
            "A sua inscrição foi cancelada e não receberá mais mensagens deste número. Responda START para voltar a recebê-las."
        }
        (OptOut, De) => {
            "Sie sind abgemeldet und erhalten keine Nachrichten mehr von dieser Nummer. Mit START melden Sie sich wieder an."
        }
        (OptOut, It) => {
            "Iscrizione annullata: non riceverà altri messaggi da questo numero. Risponda START per riceverli di nuovo."
        }
        (OptOut, Nl) => {
            "U bent afgemeld en krijgt geen berichten meer van dit nummer. Antwoord START om ze weer te krijgen."
        }
        (OptOut, Tr) => {
            "Aboneliğiniz sona erdi; bu numaradan artık mesaj almayacaksınız. Yeniden almak için START yazın."
        }
        (OptOut, Sw) => {
            "Umejiondoa na hutapokea tena ujumbe kutoka nambari hii. Jibu START ili kupokea tena."
        }
        (OptOut, Id) => {
            "Anda telah berhenti berlangganan dan tidak akan menerima pesan lagi dari nomor ini. Balas START untuk menerimanya lagi."
        }
        (OptOut, Ar) => "تم إلغاء اشتراكك ولن تصلك رسائل من هذا الرقم. أرسل START للاشتراك من جديد.",
        (OptOut, Ur) => {
            "آپ کی رکنیت ختم کر دی گئی ہے، اس نمبر سے مزید پیغامات نہیں آئیں گے۔ دوبارہ کے لیے START لکھیں۔"
        }
        (OptOut, Hi) => {
            "आपकी सदस्यता समाप्त हो गई है, इस नंबर से और संदेश नहीं आएंगे। फिर से पाने के लिए START लिखें।"
        }
        (OptIn, En) => {
            "You are subscribed again and will get messages from this number. Reply STOP to unsubscribe."
        }
        (OptIn, Fr) => {
            "Vous êtes de nouveau abonné aux messages de ce numéro. Répondez STOP pour vous désabonner."
        }
        (OptIn, Es) => {
            "Vuelve a recibir los mensajes de este número. Responda STOP para darse de baja."
        }
        (OptIn, Pt) => "Voltou a receber as mensagens deste número. Responda STOP para cancelar.",
        (OptIn, De) => {
            "Sie erhalten wieder Nachrichten von dieser Nummer. Mit STOP melden Sie sich ab."
        }
        (OptIn, It) => {
            "Riceverà di nuovo i messaggi da questo numero. Risponda STOP per annullare."
        }
        (OptIn, Nl) => "U krijgt weer berichten van dit nummer. Antwoord STOP om u af te melden.",
        (OptIn, Tr) => "Bu numaradan yeniden mesaj alacaksınız. Ayrılmak için STOP yazın.",
        (OptIn, Sw) => "Utapokea tena ujumbe kutoka nambari hii. Jibu STOP ili kujiondoa.",
        (OptIn, Id) => {
            "Anda akan kembali menerima pesan dari nomor ini. Balas STOP untuk berhenti."
        }
        (OptIn, Ar) => "تم اشتراكك من جديد وستصلك رسائل من هذا الرقم. أرسل STOP لإلغاء الاشتراك.",
        (OptIn, Ur) => "آپ کو اس نمبر سے دوبارہ پیغامات ملیں گے۔ بند کرنے کے لیے STOP لکھیں۔",
        (OptIn, Hi) => "आपको इस नंबर से फिर से संदेश मिलेंगे। बंद करने के लिए STOP लिखें।",
        (_, En) => "{name}: reply STOP to get no more messages from this number.",
        (_, Fr) => "{name} : répondez STOP pour ne plus recevoir de messages de ce numéro.",
        (_, Es) => "{name}: responda STOP para no recibir más mensajes de este número.",
        (_, Pt) => "{name}: responda STOP para não receber mais mensagens deste número.",
        (_, De) => "{name}: Mit STOP erhalten Sie keine Nachrichten mehr von dieser Nummer.",
        (_, It) => "{name}: risponda STOP per non ricevere altri messaggi da questo numero.",
        (_, Nl) => "{name}: antwoord STOP om geen berichten meer te krijgen van dit nummer.",
        (_, Tr) => "{name}: bu numaradan mesaj almamak için STOP yazın.",
        (_, Sw) => "{name}: jibu STOP ili usipokee tena ujumbe kutoka nambari hii.",
        (_, Id) => "{name}: balas STOP untuk tidak menerima pesan lagi dari nomor ini.",
        (_, Ar) => "{name}: أرسل STOP لعدم تلقي رسائل من هذا الرقم.",
        (_, Ur) => "{name}: اس نمبر سے پیغامات بند کرنے کے لیے STOP لکھیں۔",
        (_, Hi) => "{name}: इस नंबर से संदेश बंद करने के लिए STOP लिखें।",
    };
    text.replace("{name}", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(KeywordAction, KeywordLanguage)> {
        meaning(&Candidate::of(text)?.whole())
    }

    #[test]
    fn every_word_is_read_as_it_stands() {
        for (language, action, words) in WORDS {
            for word in *words {
                let found = read(word);
                assert_eq!(found.map(|(action, _)| action), Some(*action), "{word}");
                // Portuguese and Spanish share one.
                let is_shared = *word == "parar";
                assert!(is_shared || found.map(|it| it.1) == Some(*language), "{word}");
            }
        }
    }

    #[test]
    fn case_accents_punctuation_and_emoji_do_not_matter() {
        for text in [
            "Stop",
            " STOP. ",
            "stop!!!",
            "«Stop»",
            "STOP 🛑",
            "🛑🛑 stop",
            "ＳＴＯＰ",
            "s\u{200b}top",
            "STOP ALL",
            "Opt-Out",
            "opt out.",
            "ARRÊT",
            "Arre\u{302}t",
            "DÉSABONNER!",
            "Stopp 😡",
            "İPTAL",
            "iptal",
            "IPTAL",
            "ıptal",
            "Dur.",
            "توقف!",
            "الغاء",
            "إِلْغَاء",
            "بند کریں",
            "بند كريں",
            "बंद।",
            "रोकें 🙏",
            "STOP\u{fe0f}",
            "𝐒𝐓𝐎𝐏",
            "ⓢⓣⓞⓟ",
        ] {
            assert_eq!(read(text).map(|it| it.0), Some(OptOut), "{text}");
        }
        for (text, action) in
            [("Start.", OptIn), ("Başla", OptIn), ("ابدأ", OptIn), ("HELP?", Help)]
        {
            assert_eq!(read(text).map(|it| it.0), Some(action), "{text}");
        }
        assert_eq!(read("İptal").map(|it| it.1), Some(Tr));
        assert_eq!(read("arrêt").map(|it| it.1), Some(Fr));
    }

    #[test]
    fn what_only_holds_a_keyword_is_none() {
        for text in [
            "",
            " ",
            "🛑",
            "!",
            "please stop",
            "don't stop",
            "stopping",
            "nonstop",
            "when does it end",
            "cancel my order",
            "yes please",
            "helpful",
            "the end",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let padded = format!("stop{}", "!".repeat(MESSAGE_CHARS_MAX));
        assert_eq!(Candidate::of(&padded), None, "too long to be a keyword");
        let bomb = "\u{fdfa}".repeat(MESSAGE_CHARS_MAX);
        assert!(Candidate::of(&bomb).is_some_and(|it| it.whole().len() < 100 * MESSAGE_CHARS_MAX));
    }

    #[test]
    fn a_keyword_and_a_topic_are_told_apart() {
        let candidate = Candidate::of("Stop, News!").unwrap();
        assert_eq!(candidate.pair(), Some(("stop", "news")));
        assert_eq!(Candidate::of("stop").unwrap().pair(), None);
        assert_eq!(Candidate::of("stop the news").unwrap().pair(), None);
    }

    #[test]
    fn every_answer_fits_two_messages() {
        use crate::types::sms_text::SmsText;
        for action in [OptOut, OptIn, Help] {
            for language in KeywordLanguage::ALL {
                let text = default_answer(action, *language, "A company of average name");
                let parts = SmsText::new(text.clone()).unwrap().count().parts;
                assert!(parts <= 2, "{action:?} {language:?}: {parts} parts: {text}");
                assert!(!text.contains('{'), "{text}");
            }
        }
    }
}
