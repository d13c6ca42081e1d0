//! Gives the HTTP edge what people choose on their preference pages.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::contacts::ScopeRef;
use crate::ctx::{Ctx, Platform};
use crate::error::Failed;
use crate::http::{
    NotNow, PreferenceChoice, PreferenceForm, PreferencePage, PreferencePages, RequestId,
};
use crate::messages::preferences::{self, Choice, PreferenceChange};

/// What people choose.
pub(super) struct Pages(pub(super) Arc<Platform>);

impl Pages {
    fn ctx(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.0), "preference page")
    }
}

#[async_trait]
impl PreferencePages for Pages {
    async fn show(
        &self,
        link: &str,
        request_id: RequestId,
    ) -> Result<Option<PreferencePage>, NotNow> {
        let found = preferences::preferences(&self.ctx(), link).await;
        let found = found.map_err(|failed| not_now(&failed, request_id))?;
        Ok(found.map(|it| PreferencePage {
            account_name: it.account_name,
            last_digits: it.last_digits,
            is_unsubscribed: it.is_unsubscribed,
            may_resume: it.may_resume,
            choices: it.choices.iter().filter_map(choice).collect(),
        }))
    }

    async fn change(
        &self,
        link: &str,
        form: PreferenceForm,
        wording: &str,
        peer: Option<IpAddr>,
        request_id: RequestId,
    ) -> Result<bool, NotNow> {
        let change = match form {
            PreferenceForm::Unsubscribe => PreferenceChange::Unsubscribe,
            PreferenceForm::Resume => PreferenceChange::Resume,
            PreferenceForm::Choose { shown, wanted } => {
                let scopes = |keys: &[String]| keys.iter().filter_map(|key| scope(key)).collect();
                PreferenceChange::Choose { shown: scopes(&shown), wanted: scopes(&wanted) }
            }
        };
        let changed =
            preferences::change_preferences(&self.ctx(), link, &change, wording, peer).await;
        changed.map_err(|failed| not_now(&failed, request_id))
    }
}

fn choice(choice: &Choice) -> Option<PreferenceChoice> {
    let (kind, name, is_sender) = match &choice.scope {
        ScopeRef::Account => return None,
        ScopeRef::Sender(sender) => ("sender", sender, true),
        ScopeRef::Topic(topic) => ("topic", topic, false),
    };
    let (key, name) = (format!("{kind}:{name}"), name.clone());
    Some(PreferenceChoice { key, name, is_sender, is_wanted: choice.is_wanted })
}

fn scope(key: &str) -> Option<ScopeRef> {
    match key.split_once(':')? {
        ("sender", sender) => Some(ScopeRef::Sender(sender.to_owned())),
        ("topic", topic) => Some(ScopeRef::Topic(topic.to_owned())),
        _ => None,
    }
}

fn not_now(failed: &Failed, request_id: RequestId) -> NotNow {
    let error: &(dyn std::error::Error + 'static) = failed;
    tracing::error!(request.id = %request_id, error, "a preference page cannot be served");
    NotNow
}
