//! Plain tables: as wide as the terminal; if the output is not a terminal, one line per row, so that `grep` finds whole rows.

use std::io::{self, IsTerminal as _};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use terminal_size::{Width, terminal_size};

/// Width of a terminal that does not report its width.
const DEFAULT_WIDTH: u16 = 110;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Creates an empty table.
pub(super) fn new<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    if io::stdout().is_terminal() {
        let width = terminal_size().map_or(DEFAULT_WIDTH, |(Width(width), _)| width);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

/// Joins the parts of a cell: one below another on a terminal, otherwise on one line.
pub(super) fn parts<const N: usize>(parts: [&str; N]) -> String {
    parts.join(if io::stdout().is_terminal() { "\n" } else { "  " })
}
