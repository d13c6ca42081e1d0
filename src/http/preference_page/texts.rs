//! What the preference page says, in a handful of languages, and which of them a reader gets.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// What the page says in one language: plain text, without signs that HTML takes for its own.
pub(super) struct Texts {
    /// As `lang` names it (BCP 47).
    pub(super) language: &'static str,
    pub(super) heading: &'static str,
    pub(super) number: &'static str,
    pub(super) choose: &'static str,
    pub(super) sender: &'static str,
    pub(super) save: &'static str,
    pub(super) unsubscribe: &'static str,
    pub(super) is_unsubscribed: &'static str,
    pub(super) resume: &'static str,
    pub(super) done: &'static str,
    pub(super) unknown_link: &'static str,
    pub(super) bad_form: &'static str,
    pub(super) not_now: &'static str,
}

/// The first is for those who name none of them.
const ALL: [Texts; 5] = [
    Texts {
        language: "en",
        heading: "Messages from {account}",
        number: "For the phone number that ends in {digits}.",
        choose: "I want to receive messages about:",
        sender: "Messages from {sender}",
        save: "Save my choice",
        unsubscribe: "Unsubscribe from all messages",
        is_unsubscribed: "You receive no messages from {account}.",
        resume: "Receive messages again",
        done: "Your choice has been saved.",
        unknown_link: "This link is not valid.",
        bad_form: "This form could not be read.",
        not_now: "This does not work at the moment. Please try again later.",
    },
    Texts {
        language: "de",
        heading: "Nachrichten von {account}",
        number: "Für die Telefonnummer, die auf {digits} endet.",
        choose: "Ich möchte Nachrichten zu diesen Themen erhalten:",
        sender: "Nachrichten von {sender}",
        save: "Auswahl speichern",
        unsubscribe: "Von allen Nachrichten abmelden",
        is_unsubscribed: "Sie erhalten keine Nachrichten von {account}.",
        resume: "Wieder Nachrichten erhalten",
        done: "Ihre Auswahl wurde gespeichert.",
        unknown_link: "Dieser Link ist nicht gültig.",
        bad_form: "Dieses Formular konnte nicht gelesen werden.",
        not_now: "Das geht im Moment nicht. Bitte versuchen Sie es später noch einmal.",
    },
    Texts {
        language: "fr",
        heading: "Messages de {account}",
        number: "Pour le numéro de téléphone qui se termine par {digits}.",
        choose: "Je souhaite recevoir des messages sur :",
        sender: "Messages de {sender}",
        save: "Enregistrer mon choix",
        unsubscribe: "Me désabonner de tous les messages",
        is_unsubscribed: "Vous ne recevez aucun message de {account}.",
        resume: "Recevoir à nouveau des messages",
        done: "Votre choix a été enregistré.",
        unknown_link: "Ce lien n’est pas valable.",
        bad_form: "Ce formulaire n’a pas pu être lu.",
        not_now: "Cela ne fonctionne pas pour le moment. Veuillez réessayer plus tard.",
    },
    Texts {
        language: "es",
        heading: "Mensajes de {account}",
        number: "Para el número de teléfono que termina en {digits}.",
        choose: "Quiero recibir mensajes sobre:",
        sender: "Mensajes de {sender}",
        save: "Guardar mi selección",
        unsubscribe: "Darme de baja de todos los mensajes",
        is_unsubscribed: "No recibe ningún mensaje de {account}.",
        resume: "Volver a recibir mensajes",
        done: "Su selección se ha guardado.",
        unknown_link: "Este enlace no es válido.",
        bad_form: "No se pudo leer este formulario.",
        not_now: "No funciona en este momento. Inténtelo de nuevo más tarde.",
    },
    Texts {
        language: "pt",
        heading: "Mensagens de {account}",
        number: "Para o número de telefone que termina em {digits}.",
        choose: "Quero receber mensagens sobre:",
        sender: "Mensagens de {sender}",
        save: "Guardar a minha escolha",
        unsubscribe: "Cancelar todas as mensagens",
        is_unsubscribed: "Não recebe mensagens de {account}.",
        resume: "Voltar a receber mensagens",
        done: "A sua escolha foi guardada.",
        unknown_link: "Este link não é válido.",
        bad_form: "Não foi possível ler este formulário.",
        not_now: "Não funciona neste momento. Tente novamente mais tarde.",
    },
];

impl Texts {
    /// The language that a reader likes best (RFC 9110, section 12.5.4), or English.
    pub(super) fn accepted(headers: &HeaderMap) -> &'static Self {
        static TEXTS: [Texts; 5] = ALL;
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut best: Option<(f32, &Self)> = None;
        for range in accepted.unwrap_or_default().split(',') {
            let (language, quality) = range.split_once(';').unwrap_or((range, ""));
            let language = language.trim().split('-').next().unwrap_or_default();
            let quality = quality.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse);
            let Ok(quality) = quality else { continue };
            let found = TEXTS.iter().find(|it| it.language.eq_ignore_ascii_case(language));
            let Some(found) = found.filter(|_| quality > 0.0) else { continue };
            if best.is_none_or(|(before, _)| quality > before) {
                best = Some((quality, found));
            }
        }
        best.map_or(&TEXTS[0], |(_, texts)| texts)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn readers_get_what_they_like_best() {
        for (accepted, language) in [
            ("", "en"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("nl, fr;q=0.5, es;q=0.7", "es"),
            ("de;q=0, en", "en"),
            ("ja", "en"),
            ("PT-br", "pt"),
            ("fr;q=x, de;q=0.1", "de"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
            assert_eq!(Texts::accepted(&headers).language, language, "{accepted}");
        }
    }

    #[test]
    fn every_language_names_what_is_put_in() {
        for texts in ALL {
            assert!(texts.heading.contains("{account}") && texts.number.contains("{digits}"));
            assert!(texts.is_unsubscribed.contains("{account}"));
            assert!(texts.sender.contains("{sender}"), "{}", texts.language);
        }
    }
}
