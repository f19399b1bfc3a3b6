//! POSTs to WebSub hubs and to the operator's webhooks. Only the status of the response counts; its body is not read.

use url::Url;

use super::chain::split_credentials;
use super::fetcher::{Plan, Wanted};
use super::{FetchError, Fetcher, Purpose, RequestOptions};
use crate::model::Validators;

const FORM: &str = "application/x-www-form-urlencoded";

/// The body of a POST.
#[derive(Clone, Copy, Debug)]
pub struct Posted<'a> {
    /// The media type of the body.
    pub content_type: &'a str,
    /// The bytes.
    pub body: &'a [u8],
}

impl Fetcher {
    /// Sends one guarded, polite POST to a hub.
    pub async fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<(), FetchError> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let posted = Posted { content_type: FORM, body: form.as_bytes() };
        self.answer_to_post(Purpose::Hub, url, posted, &RequestOptions::default()).await
    }

    /// Sends one guarded POST to the operator's webhook.
    pub async fn post(
        &self,
        url: &Url,
        posted: Posted<'_>,
        options: &RequestOptions,
    ) -> Result<(), FetchError> {
        self.answer_to_post(Purpose::Webhook, url, posted, options).await
    }

    async fn answer_to_post(
        &self,
        purpose: Purpose,
        url: &Url,
        posted: Posted<'_>,
        options: &RequestOptions,
    ) -> Result<(), FetchError> {
        let (start, auth) = split_credentials(url, options.auth.as_ref());
        let plan = Plan {
            start,
            wanted: Wanted::For(purpose),
            validators: &Validators::default(),
            options,
            auth,
            obey_robots: false,
            posted: Some(posted),
        };
        self.answer(&plan, purpose).await.map(drop)
    }
}
