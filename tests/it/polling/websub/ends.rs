//! Subscriptions that end, and new subscriptions after that.

use feedmill::pipeline::websub::step;
use jiff::SignedDuration;

use super::{
    WEEK, asked, deliver, feed, form, link, not_subscribing, path, signature, subscribing, verify, verify_end,
};
use crate::polling::{item, status};
use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::rss;

/// The reason a feed's subscription ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Gone,
    Removed,
    NamesNoHub,
    NamesAnotherHub,
    SwitchedOff,
    SwitchedOffByReload,
}

#[tokio::test]
async fn a_subscription_that_is_wanted_no_more_is_ended() {
    let ends = [
        End::Gone,
        End::Removed,
        End::NamesNoHub,
        End::NamesAnotherHub,
        End::SwitchedOff,
        End::SwitchedOffByReload,
    ];
    for end in ends {
        let server = Server::start().await;
        let (mut mill, form_of_first) = asked(&server).await;
        let topic = form_of_first["hub.topic"].clone();
        verify(&mill, &form_of_first, &topic, WEEK).await;
        assert_eq!(verify_end(&mill, &form_of_first, &topic).await.0, 404, "nobody asked for that");
        server.respond("/other", Reply::status(202));
        match end {
            End::Gone => server.replace("/feed", Reply::status(410)),
            End::Removed => {
                mill.reload(&[]).await.unwrap();
            }
            End::NamesNoHub => server.replace("/feed", feed(&["one", "two"], "")),
            End::NamesAnotherHub => {
                server.replace("/feed", feed(&["one", "two"], &link("hub", &server.url("/other"))));
            }
            End::SwitchedOff => mill = mill.restarted_with(not_subscribing).await,
            End::SwitchedOffByReload => mill.reconfigure(not_subscribing).await,
        }
        mill.advance(SignedDuration::from_hours(25));
        mill.once().await;
        step(mill.daemon.shared()).await.unwrap();
        let requests = server.requests("/hub");
        assert_eq!(requests.len(), 2, "{end:?}");
        let last = form(&requests[1]);
        assert_eq!(last["hub.mode"], "unsubscribe", "{end:?}");
        assert_eq!((&last["hub.topic"], &last["hub.callback"]), (&topic, &form_of_first["hub.callback"]));

        assert_eq!(verify_end(&mill, &last, "https://feeds.example/other").await, (404, String::new()));
        let challenge = (200, "a <b>challenge</b> & more".to_owned());
        assert_eq!(verify_end(&mill, &last, &topic).await, challenge, "{end:?}");
        assert_eq!(verify_end(&mill, &last, &topic).await, challenge, "the answer may have been lost");
        assert_eq!(verify(&mill, &last, &topic, WEEK).await.0, 404, "and no new one comes of it");
        let body = rss(&[item("late")]);
        let right = signature(&form_of_first["hub.secret"], &body);
        assert_eq!(deliver(&mill, &path(&last), Some(&right), &body).await, 410, "{end:?}");
        assert_eq!(status(&mill, "/feed").await.delivered_until, None, "{end:?}");
        mill.advance(SignedDuration::from_hours(24));
        step(mill.daemon.shared()).await.unwrap();
        assert_eq!(server.requests("/hub").len(), 2, "{end:?}: it is ended");
        mill.advance(SignedDuration::from_hours(8 * 24));
        step(mill.daemon.shared()).await.unwrap();
        assert_eq!(verify_end(&mill, &last, &topic).await.0, 404, "forgotten with its lease");
    }
}

#[tokio::test]
async fn a_hub_that_does_not_end_it_is_asked_a_few_times() {
    let server = Server::start().await;
    let (mut mill, form_of_first) = asked(&server).await;
    verify(&mill, &form_of_first, &form_of_first["hub.topic"], WEEK).await;
    server.replace("/hub", Reply::status(500));
    mill.reload(&[]).await.unwrap();
    for _ in 0..100 {
        step(mill.daemon.shared()).await.unwrap();
        mill.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(server.requests("/hub").len(), 1 + 5);
}

#[tokio::test]
async fn what_no_hub_has_promised_needs_no_end() {
    let server = Server::start().await;
    let (mut mill, form) = asked(&server).await;
    mill.reload(&[]).await.unwrap();
    step(mill.daemon.shared()).await.unwrap();
    assert_eq!(server.requests("/hub").len(), 1, "it was asked, and has not confirmed");
    assert_eq!(verify(&mill, &form, &form["hub.topic"], WEEK).await.0, 404, "and now need not");
}

#[tokio::test]
async fn a_feed_that_is_polled_again_is_subscribed_to_again() {
    let server = Server::start().await;
    let (mut mill, form_of_first) = asked(&server).await;
    verify(&mill, &form_of_first, &form_of_first["hub.topic"], WEEK).await;
    mill.reload(&[]).await.unwrap();
    step(mill.daemon.shared()).await.unwrap();
    mill.reload(&[&server.url("/feed")]).await.unwrap();
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    step(mill.daemon.shared()).await.unwrap();
    // The end of the first is requested again as well, since the hub has not verified it.
    let mut forms = server.requests("/hub").into_iter().skip(2).map(|request| form(&request));
    let again = forms.find(|form| form["hub.mode"] == "subscribe").unwrap();
    assert_ne!(again["hub.callback"], form_of_first["hub.callback"]);
}

/// A feed polled before WebSub was turned on would answer 304 forever: it is polled unconditionally once.
#[tokio::test]
async fn a_feed_that_was_known_before_is_looked_at_for_hubs_once() {
    let server = Server::start().await;
    let whole = feed(&["one"], &link("hub", &server.url("/hub")));
    server.handle(move |request| match request.header("if-none-match") {
        Some(_) => Reply::status(304).header("ETag", "\"1\""),
        None => whole.clone(),
    });
    server.respond("/hub", Reply::status(202));
    let mut mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    for _ in 0..2 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    mill = mill.restarted_with(subscribing).await;
    for _ in 0..3 {
        mill.once().await;
        step(mill.daemon.shared()).await.unwrap();
        mill.advance(SignedDuration::from_hours(25));
    }
    let asked: Vec<bool> =
        server.requests("/feed").iter().map(|request| request.header("if-none-match").is_some()).collect();
    assert_eq!(asked, [false, true, false, true, true]);
    assert_eq!(form(&server.requests("/hub")[0])["hub.topic"], server.url("/feed").as_str());
    let status = status(&mill, "/feed").await;
    assert_eq!((status.entries, status.last_error), (1, None), "and nothing was new again");

    // Off and on again: the subscription has ended, and the hub is looked up again.
    let mut mill = mill.restarted_with(not_subscribing).await;
    mill.once().await;
    mill = mill.restarted_with(|test| subscribing(test.no_tables())).await;
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    assert_eq!(server.requests("/feed").last().unwrap().header("if-none-match"), None);
}

#[tokio::test]
async fn a_look_for_hubs_is_not_repeated_where_it_fails_for_good() {
    let server = Server::start().await;
    server.respond("/feed", feed(&["one"], ""));
    server.respond("/feed", Reply::status(304));
    let mut mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.once().await;
    mill = mill.restarted_with(subscribing).await;
    for _ in 0..2 {
        mill.advance(SignedDuration::from_hours(25));
        mill.once().await;
    }
    let last = server.requests("/feed").pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"1\""), "304 to whatever it is asked");
    assert_eq!(status(&mill, "/feed").await.last_error, None);
}
