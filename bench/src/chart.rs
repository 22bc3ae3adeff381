// SPDX-License-Identifier: MIT OR Apache-2.0
//! The charts: `speed.svg`, `gcm.svg` and `ratios.svg`.

use core::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::compare::{Cell, Comparison};
use crate::contender::{OPS, Role};
use crate::limit::Limits;
use crate::message::Operation;
use crate::report::{Report, length};
use crate::verdict::{SLACK, TENTH, fastest};

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xea);
const OURS: RGBColor = RGBColor(0xd9, 0x5f, 0x02);

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Writes every chart into `directory`.
///
/// # Errors
/// A file cannot be written.
pub fn write(directory: &Path, comparison: &Comparison, report: &Report) -> Drawn {
    let draw = |name: &str, size, draw: fn(&Area<'_>, &Comparison, &Report) -> Drawn| {
        let path = directory.join(name);
        let area = SVGBackend::new(&path, size).into_drawing_area();
        let drawn = area
            .fill(&WHITE)
            .map_err(Into::into)
            .and_then(|()| draw(&area, comparison, report))
            .and_then(|()| area.present().map_err(Into::into));
        drawn.map_err(|error| format!("{}: {error}", path.display()))
    };
    draw("speed.svg", (960, 480), speed)?;
    draw("gcm.svg", (960, 480), gcm)?;
    draw("ratios.svg", (960, 520), ratios)?;
    Ok(())
}

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn centred(size: i32, v: VPos) -> TextStyle<'static> {
    font(size).pos(Pos::new(HPos::Center, v))
}

/// The bar graph of the article that began this work (S. Kiselkov, 2014): what the stock provider,
/// OpenSSL and ours do on one core through KCF's atomic operations, AES-128, 128 KiB.
///
/// The stock provider does not run here. Its figures were measured once, on another machine, with
/// illumos' own framework and provider in a process. The chart says so. A kernel is slower than that
/// process, because there each block also saves the FPU state.
fn speed(area: &Area<'_>, comparison: &Comparison, report: &Report) -> Drawn {
    /// Bytes of the messages.
    const BYTES: usize = 131_072;
    /// 10^6 bytes in a second by the stock provider, with a template.
    const STOCK: [(Operation, f64); 6] = [
        (Operation::EcbEncrypt, 1982.0),
        (Operation::Ctr, 1196.0),
        (Operation::CbcEncrypt, 982.0),
        (Operation::CbcDecrypt, 1566.0),
        (Operation::GcmSeal, 504.0),
        (Operation::GcmOpen, 539.0),
    ];
    /// The machine of that measurement.
    const STOCK_MACHINE: &str = "a Sapphire-Rapids-class Xeon at 4.1 GHz";
    const SERIES: [RGBColor; 3] = [RGBColor(0xb8, 0xbf, 0xc6), RGBColor(0x6c, 0xa0, 0xdc), OURS];
    /// Width of a bar, where a group has the width 1.
    const BAR: f64 = 0.27;

    let openssl = report.contenders.iter().rfind(|it| it.name.starts_with("OpenSSL"));
    // A quick run has no messages of that length.
    let bytes = comparison.cells.iter().map(|cell| cell.bytes).max().unwrap_or(BYTES).min(BYTES);
    let speed = |operation, contender: &str| {
        let cell = comparison.cell(operation, 128, bytes, false)?;
        Some(cell.megabytes_per_second(cell.figure(contender)?))
    };
    let groups = STOCK.map(|(operation, stock)| {
        let theirs = openssl.and_then(|it| speed(operation, &it.name));
        (operation.name(), [Some(stock), theirs, speed(operation, OPS)])
    });
    let top = groups.iter().flat_map(|(_, bars)| bars).flatten().fold(0.0, |top, &it| it.max(top));

    area.draw(&Text::new("AES-128, 10⁶ bytes per second on one core", (20, 16), font(20)))?;
    let notes = [
        format!(
            "OpenSSL, kcfaes: {}, messages of {} KiB; kcfaes through encrypt_atomic and \
             decrypt_atomic",
            report.machine.model,
            bytes / 1024
        ),
        format!(
            "* measured elsewhere, on {STOCK_MACHINE}, 128 KiB, in a process; not to be compared \
             bar by bar"
        ),
    ];
    for (line, note) in notes.into_iter().enumerate() {
        area.draw(&Text::new(note, (20, 438 + 19 * line as i32), font(13)))?;
    }
    // The beginning of its description: "OpenSSL 4.0.1 …".
    let theirs = openssl.map_or_else(
        || "OpenSSL (not run)".to_owned(),
        |it| it.description.split(' ').take(2).collect::<Vec<_>>().join(" "),
    );
    let names = ["stock KCF*", &theirs, "kcfaes"];
    for ((name, color), x) in names.into_iter().zip(SERIES).zip([560, 680, 850]) {
        area.draw(&Rectangle::new([(x, 18), (x + 14, 32)], color.filled()))?;
        area.draw(&Text::new(name.to_owned(), (x + 20, 17), font(15)))?;
    }

    let mut chart = ChartBuilder::on(area)
        .margin_top(48)
        .margin_bottom(72)
        .margin_right(20)
        .margin_left(10)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..groups.len() as f64, 0.0..top * 1.08)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font(13))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for (group, (name, bars)) in groups.iter().enumerate() {
        let left = group as f64 + (1.0 - 3.0 * BAR) / 2.0;
        for (i, (speed, color)) in bars.iter().zip(SERIES).enumerate() {
            let Some(speed) = *speed else { continue };
            let x = left + BAR * i as f64;
            let bar = Rectangle::new([(x, 0.0), (x + BAR * 0.94, speed)], color.filled());
            let label = EmptyElement::at((x + BAR / 2.0, speed))
                + Text::new(format!("{speed:.0}"), (0, -3), centred(12, VPos::Bottom));
            chart.draw_series([bar])?;
            chart.draw_series([label])?;
        }
        let label = EmptyElement::at((group as f64 + 0.5, 0.0))
            + Text::new(*name, (0, 8), centred(15, VPos::Top));
        chart.draw_series([label])?;
    }
    Ok(())
}

/// GCM by length for every contender. Both axes are logarithmic.
fn gcm(area: &Area<'_>, comparison: &Comparison, report: &Report) -> Drawn {
    const OPERATION: Operation = Operation::GcmSeal;
    const PALETTE: [RGBColor; 9] = [
        RGBColor(0x1b, 0x9e, 0x77),
        RGBColor(0x6c, 0xa0, 0xdc),
        RGBColor(0x75, 0x70, 0xb3),
        RGBColor(0xe7, 0x29, 0x8a),
        RGBColor(0x66, 0xa6, 0x1e),
        RGBColor(0xa6, 0x76, 0x1d),
        RGBColor(0x99, 0x99, 0x99),
        RGBColor(0x1f, 0x3a, 0x8a),
        RGBColor(0xbc, 0xbd, 0x22),
    ];

    let cells: Vec<_> = comparison
        .cells
        .iter()
        .filter(|it| it.operation == OPERATION && it.key_bits == 128 && it.is_judged())
        .collect();
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return Ok(()) };
    let named = |role| report.contenders.iter().filter(move |it| it.role == role);
    let best = |cell: &&Cell| {
        let ours = fastest(cell, |name| named(Role::Kernels).any(|it| it.name == name))?;
        Some((cell.bytes as f64, ours.cycles_per_byte))
    };
    let one = |name: &str| -> Vec<(f64, f64)> {
        let point = |cell: &&Cell| Some((cell.bytes as f64, cell.cycles_per_byte(name)?));
        cells.iter().filter_map(point).collect()
    };
    let limits = &comparison.limits;
    let limit = Limits::best(|width| limits.cycles_per_byte(width, OPERATION, 128));

    struct Line {
        name: String,
        color: RGBColor,
        width: u32,
        points: Vec<(f64, f64)>,
    }
    let mut lines: Vec<_> = named(Role::Peer)
        .zip(PALETTE)
        .map(|(peer, color)| Line {
            name: peer.name.clone(),
            color,
            width: 2,
            points: one(&peer.name),
        })
        .collect();
    let points = cells.iter().filter_map(best).collect();
    lines.push(Line { name: "kcfaes".to_owned(), color: OURS, width: 4, points });
    let values = || lines.iter().flat_map(|line| &line.points).map(|&(_, y)| y);
    let top = values().fold(limit, f64::max) * 1.2;
    let bottom = values().fold(limit, f64::min) / 1.2;

    let title = "AES-128-GCM seal, core cycles per byte by message length (less is better)";
    area.draw(&Text::new(title, (20, 16), font(20)))?;
    let note = format!(
        "{}; one by one up to 1424 bytes, back to back above; kcfaes: kernels called directly; \
         dashed: the limit of the processor's AES and multiplication",
        report.machine.model
    );
    area.draw(&Text::new(note, (20, 456), font(13)))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(48)
        .margin_bottom(28)
        .margin_right(170)
        .margin_left(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(
            (first.bytes as f64..last.bytes as f64).log_scale(),
            (bottom..top).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font(13))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| trimmed(*y))
        .draw()?;
    let ends = [(first.bytes as f64, limit), (last.bytes as f64, limit)];
    if limit.is_finite() {
        chart.draw_series(DashedLineSeries::new(ends, 6, 4, INK.stroke_width(1)))?;
    }
    for (i, Line { name, color, width, points }) in lines.into_iter().enumerate() {
        let style = color.stroke_width(width);
        chart.draw_series(LineSeries::new(points, style).point_size(width))?;
        let y = 60 + 22 * i as i32;
        area.draw(&PathElement::new([(800, y + 8), (824, y + 8)], style))?;
        area.draw(&Text::new(name, (832, y), font(14)))?;
    }
    Ok(())
}

fn trimmed(value: f64) -> String {
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Time of ours relative to the best peer's, cell by cell.
fn ratios(area: &Area<'_>, _: &Comparison, report: &Report) -> Drawn {
    const LEFT: i32 = 150;
    const TOP: i32 = 76;
    const CELL: (i32, i32) = (98, 28);

    let title = "Time of kcfaes to that of the fastest other library (less is better)";
    area.draw(&Text::new(title, (20, 16), font(20)))?;
    let verdicts = &report.verdicts.cells;
    let mut rows: Vec<(&str, usize)> = Vec::new();
    for it in verdicts {
        if rows.last() != Some(&(it.operation, it.key_bits)) {
            rows.push((it.operation, it.key_bits));
        }
    }
    for (y, &(operation, key_bits)) in rows.iter().enumerate() {
        let middle = TOP + CELL.1 * y as i32 + CELL.1 / 2;
        let name = format!("{operation} {key_bits}");
        let style = font(14).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(name, (LEFT - 10, middle), style))?;
        let row = verdicts.iter().filter(|it| (it.operation, it.key_bits) == (operation, key_bits));
        for (x, it) in row.enumerate() {
            let at = (LEFT + CELL.0 * x as i32, TOP + CELL.1 * y as i32);
            let centre = (at.0 + CELL.0 / 2, at.1 + CELL.1 / 2);
            if y == 0 {
                let style = centred(14, VPos::Center);
                area.draw(&Text::new(length(it), (centre.0, TOP - 14), style))?;
            }
            let Some(ratio) = it.ratio_to_peer else { continue };
            let end = (at.0 + CELL.0 - 2, at.1 + CELL.1 - 2);
            area.draw(&Rectangle::new([at, end], shade(ratio).filled()))?;
            let label = format!("{ratio:.2}");
            area.draw(&Text::new(label, centre, centred(14, VPos::Center)))?;
        }
    }
    let below = TOP + CELL.1 * rows.len() as i32 + 14;
    let peers = report.contenders.iter().filter(|it| it.role == Role::Peer);
    let peers: Vec<_> = peers.map(|it| it.name.as_str()).collect();
    let note = format!("{}; others: {}", report.machine.model, peers.join(", "));
    area.draw(&Text::new(note, (20, below), font(13)))?;
    Ok(())
}

/// Green where ours are faster, white where the difference is too small, red where ours are slower.
fn shade(ratio: f64) -> RGBColor {
    match ratio {
        it if it < 0.75 => RGBColor(0x7f, 0xc9, 0x8f),
        it if it < 1.0 / SLACK => RGBColor(0xc6, 0xe8, 0xcc),
        it if it <= SLACK => RGBColor(0xf3, 0xf5, 0xf7),
        it if it <= TENTH => RGBColor(0xfb, 0xd9, 0xc0),
        _ => RGBColor(0xf2, 0xa0, 0x8a),
    }
}
