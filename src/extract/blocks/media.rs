//! Pictures and players that a reader would call the page's content.

use html5ever::{LocalName, local_name};

use crate::extract::html::tree::Element;
use crate::extract::words::classes::CLASSES;

/// A picture whose stated width or height is less is a sign, a face or a measuring pixel.
const LEAST_PIXELS: f32 = 100.0;
/// Endings of addresses that are pictures.
const PICTURES: &[&str] = &[".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"];

/// Whether an `img` is large enough, as far as it says.
pub(crate) fn is_large(image: &Element) -> bool {
    let is_small = |name: LocalName| {
        let pixels = image.attribute(&name).map(|size| size.trim().trim_end_matches("px").parse::<f32>());
        matches!(pixels, Some(Ok(pixels)) if pixels < LEAST_PIXELS)
    };
    !is_small(local_name!("width")) && !is_small(local_name!("height"))
}

/// Whether a link leads to another page: the picture inside it stands for that page, and not for a larger picture.
pub(crate) fn is_to_a_page(link: &Element) -> bool {
    let Some(address) = link.attribute(&local_name!("href")).map(str::trim) else { return false };
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    !path.is_empty() && !PICTURES.iter().any(|ending| path.ends_with(ending))
}

/// Whether an element plays something: a frame does where its address is that of a player.
pub(crate) fn is_player(element: &Element) -> bool {
    let names_player = |name: LocalName| {
        let address = element.attribute(&name).unwrap_or_default();
        CLASSES.addresses.player.iter().any(|part| address.contains(&**part))
    };
    match element.name.local {
        local_name!("video") | local_name!("audio") => true,
        local_name!("iframe") | local_name!("embed") | local_name!("object") => {
            [local_name!("src"), local_name!("data"), LocalName::from("data-src")]
                .into_iter()
                .any(names_player)
        }
        _ => false,
    }
}
