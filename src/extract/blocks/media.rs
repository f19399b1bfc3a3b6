//! Recognises pictures and players that are content for a reader.

use html5ever::{LocalName, local_name};

use crate::extract::html::tree::Element;
use crate::extract::words::classes::CLASSES;

/// A picture of a smaller stated width or height is an icon, an avatar or a tracking pixel.
const LEAST_PIXELS: f32 = 100.0;
/// File extensions of pictures.
const PICTURES: &[&str] = &[".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"];

/// Returns whether an `img` is large, as far as its attributes say.
pub(crate) fn is_large(image: &Element) -> bool {
    let is_small = |name: LocalName| {
        let pixels = image.attribute(&name).map(|size| size.trim().trim_end_matches("px").parse::<f32>());
        matches!(pixels, Some(Ok(pixels)) if pixels < LEAST_PIXELS)
    };
    !is_small(local_name!("width")) && !is_small(local_name!("height"))
}

/// Returns whether a link leads to another page, rather than to a larger version of the picture inside it.
pub(crate) fn is_to_a_page(link: &Element) -> bool {
    let Some(address) = link.attribute(&local_name!("href")).map(str::trim) else { return false };
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    !path.is_empty() && !PICTURES.iter().any(|ending| path.ends_with(ending))
}

/// Returns whether an element plays something; a frame does if its address is that of a player.
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
