/// The page's style. Colours of marks follow Okabe and Ito and Paul Tol, so that they can be told
/// apart with any colour vision; text reaches contrast AA in both schemes.
enum PageStyle {
  static let css: HTML = """

    :root{--bg:#f6f7f9;--card:#fff;--ink:#18202b;--soft:#4f5b6b;--line:#d9dee5;--faint:#eceff3;\
    --accent:#0b5a8c;--good:#17672c;--look:#8f3f00;--note:#fff6e0;--note-line:#b98900;\
    --training:#0072b2;--heldout:#d55e00;--pool:#d55e00;--listed:#111;--halo:#fff;--shade:#0003;--bar:#9cc4e0;\
    --k0:#0072b2;--k1:#b8860b;--k2:#117733;--k3:#aa4499;--k4:#44a2a0;--k5:#882255;--k6:#6f86d6;\
    --k7:#7a7a2a}
    @media screen and (prefers-color-scheme:dark){:root{--bg:#11151b;--card:#191f28;--ink:#e7ebf1;\
    --soft:#a9b3c1;--line:#333d4a;--faint:#242c37;--accent:#82c4f3;--good:#7ed491;--look:#ffb37a;\
    --note:#2e2713;--note-line:#c9a227;--training:#56b4e9;--heldout:#f58b45;--pool:#f58b45;\
    --listed:#fff;--halo:#191f28;--shade:#000a;--bar:#2f5f80;--k0:#56b4e9;--k1:#e0b83c;--k2:#5fc07c;--k3:#dd93d0;\
    --k4:#4fc8c3;--k5:#f0809f;--k6:#a3b4f5;--k7:#c2c26a}}
    *{box-sizing:border-box}
    html{scroll-behavior:smooth;scroll-padding-top:1rem;-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,\
    "Segoe UI",Roboto,"Noto Sans","Liberation Sans","DejaVu Sans",sans-serif;\
    font-variant-numeric:tabular-nums}
    header,nav,main,footer{max-width:78rem;margin:0 auto;padding:0 1.25rem}
    header{padding-top:2rem}
    h1{font-size:2.1rem;line-height:1.15;margin:0;overflow-wrap:anywhere}
    h2{font-size:1.45rem;line-height:1.25;margin:0 0 .75rem}
    h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
    p{margin:.4rem 0 .8rem;max-width:50rem}
    small{color:var(--soft);font-size:.85em}
    a{color:var(--accent)}
    code,.keys dd{font-family:ui-monospace,"SFMono-Regular",Menlo,"Liberation Mono",\
    "DejaVu Sans Mono",monospace;font-size:.85em}
    .long{overflow-wrap:anywhere}
    .unit{white-space:nowrap}
    .kind{margin:0;color:var(--soft);letter-spacing:.04em;text-transform:uppercase;font-size:.8rem}
    .facts{margin:.25rem 0 1rem;color:var(--soft)}
    .facts span+span::before{content:" · "}
    .note{background:var(--note);border-left:4px solid var(--note-line);padding:.6rem .9rem;\
    border-radius:0 6px 6px 0;max-width:none;margin:.5rem 0}
    .quiet{color:var(--soft);font-size:.9rem}
    .empty{padding:1.5rem;border:1px dashed var(--line);border-radius:8px;max-width:none}
    .skip{position:absolute;left:-99rem}
    .skip:focus{left:1rem;top:1rem;background:var(--card);padding:.5rem 1rem;z-index:2}
    :focus-visible{outline:3px solid var(--accent);outline-offset:2px}
    nav{position:sticky;top:0;z-index:1;background:var(--bg);border-bottom:1px solid var(--line)}
    nav ul{list-style:none;display:flex;gap:.25rem 1.4rem;margin:0;padding:.6rem 0;overflow-x:auto}
    nav a{text-decoration:none;white-space:nowrap;font-weight:600;font-size:.95rem}
    nav a:hover{text-decoration:underline}
    section{padding:1.75rem 0 .5rem;scroll-margin-top:2.5rem}
    section+section{border-top:1px solid var(--line);margin-top:1.5rem}
    .cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr))}
    .card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.15rem}
    .card h3{margin:0 0 .6rem}
    .card p,.checks{font-size:.92rem}
    .figures{display:flex;flex-wrap:wrap;gap:.6rem 1.6rem;margin:0 0 .8rem}
    .figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end;max-width:9rem}
    .figures dd{margin:0;font-size:1.7rem;line-height:1.15;font-weight:650}
    .figures dt{color:var(--soft);font-size:.83rem;line-height:1.35}
    .checks{list-style:none;margin:0;padding:0}
    .checks li{padding:.3rem 0;border-top:1px solid var(--faint)}
    .checks .good b{color:var(--good)}
    .checks .look b{color:var(--look)}
    .warnings{margin:.3rem 0;padding-left:1.2rem}
    .warnings li{margin:.2rem 0;overflow-wrap:anywhere}
    .chip{display:inline-block;border:1px solid var(--accent);color:var(--accent);border-radius:99px;\
    padding:0 .45em;font-size:.75rem;line-height:1.35;font-weight:600}
    .scroll{overflow-x:auto;background:linear-gradient(to right,var(--card) 40%,transparent) 0 0/2rem 100% \
    no-repeat local,linear-gradient(to left,var(--card) 40%,transparent) 100% 0/2rem 100% no-repeat \
    local,linear-gradient(to right,var(--shade),transparent) 0 0/.8rem 100% no-repeat,\
    linear-gradient(to left,var(--shade),transparent) 100% 0/.8rem 100% no-repeat var(--card);border:1px solid var(--line);border-radius:8px;\
    margin:.5rem 0 .75rem}
    table{border-collapse:collapse;width:100%;font-size:.88rem;line-height:1.4}
    caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    th,td{padding:.45rem .65rem;text-align:left;vertical-align:top;font-weight:400}
    thead th{font-weight:600;vertical-align:bottom;border-bottom:1px solid var(--line)}
    thead{background:var(--faint)}
    .groups th{border-bottom:0;padding-bottom:0}
    thead th small{font-weight:400;white-space:nowrap}
    tbody tr+tr>*{border-top:1px solid var(--faint)}
    tbody tr:hover{background:var(--faint)}
    .n{text-align:right}
    tbody .n{white-space:nowrap}
    .wide{min-width:15rem}
    .path{min-width:10.5rem}
    .why{min-width:12.5rem}
    td small,tbody th small{display:block}
    td .was,tbody th .was{display:inline;white-space:nowrap}
    .first{border-left:1px solid var(--line)}
    .groups *+th{border-left:1px solid var(--line)}
    .total>*{font-weight:650}
    .outside{color:var(--look);font-weight:650}
    .bar{display:block;min-width:4.2rem;padding-bottom:.3rem;background:linear-gradient(to right,\
    var(--bar) var(--w),var(--faint) var(--w)) 0 100%/100% 4px no-repeat}
    th button{all:unset;cursor:pointer;font-weight:600}
    th button:focus-visible{outline:3px solid var(--accent)}
    th[aria-sort] button{text-decoration:underline dotted var(--soft);text-underline-offset:.25em}
    th[aria-sort=ascending] button::after{content:"\u{A0}↑"}
    th[aria-sort=descending] button::after{content:"\u{A0}↓"}
    .tools{display:flex;gap:1rem;align-items:center;flex-wrap:wrap;max-width:none}
    .tools[hidden]{display:none}
    .tools input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);\
    border-radius:6px;padding:.3rem .6rem;margin-left:.4rem;width:min(20rem,70vw)}
    .tools input::placeholder{color:var(--soft);opacity:1}
    .tools span{color:var(--soft);font-size:.9rem}
    .pair{display:inline-block;margin-right:.9rem}
    .facts-list{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:.3rem 1.5rem;\
    margin:.5rem 0}
    .facts-list dt{color:var(--soft)}
    .facts-list dd{margin:0;overflow-wrap:anywhere;min-width:0}
    .plots{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(21rem,100%),1fr))}
    figure{margin:.5rem 0;background:var(--card);border:1px solid var(--line);border-radius:8px;\
    padding:.8rem;min-width:0}
    .plots figure{margin:0}
    figcaption{font-size:.9rem;margin-bottom:.4rem;min-height:1.4em}
    figure svg{display:block;width:100%;height:auto;max-width:27rem;margin:0 auto}
    .two svg{max-width:36rem}
    .two{grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))!important}
    figure.wide{max-width:52rem}
    figure.wide{overflow-x:auto}
    figure.wide>svg{max-width:50rem;min-width:34rem}
    svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",\
    "DejaVu Sans",sans-serif;fill:var(--ink)}
    svg .tick{fill:var(--soft)}
    svg .axis{font-size:13px}
    .area{fill:none;stroke:var(--line)}
    .grid{stroke:var(--faint);fill:none}
    .base{stroke:var(--line)}
    .diagonal{stroke:var(--soft);stroke-dasharray:2 3}
    .threshold{stroke:var(--ink);stroke-dasharray:5 4;stroke-width:1.2}
    .hist{stroke-width:1.6;fill-opacity:.25}
    .hist.training{stroke:var(--training);fill:var(--training)}
    .hist.pool,.hist.heldout{stroke:var(--heldout);fill:none;stroke-width:2}
    .dots{stroke-width:4;stroke-linecap:round;stroke-opacity:.55;fill:none}
    .dots.training{stroke:var(--training)}
    .dots.heldout{stroke:var(--heldout)}
    .curve{fill:none;stroke-width:1.8}
    .knots{fill:none;stroke-width:7;stroke-linecap:round}
    .curve.heldout,.knots.heldout{stroke:var(--heldout)}
    .cells.training{fill:var(--training)}
    .cells.heldout{fill:var(--heldout)}
    .l0{opacity:.22}.l1{opacity:.4}.l2{opacity:.6}.l3{opacity:.8}.l4{opacity:1}
    .points{fill-opacity:.8}
    .k0{fill:var(--k0)}.k1{fill:var(--k1)}.k2{fill:var(--k2)}.k3{fill:var(--k3)}.k4{fill:var(--k4)}\
    .k5{fill:var(--k5)}.k6{fill:var(--k6)}.k7{fill:var(--k7)}
    .others{stroke:var(--soft);stroke-width:1.1;fill:none;stroke-opacity:.75}
    .listed{fill:var(--listed);stroke:var(--halo);stroke-width:1.2}
    svg .rank,svg .cluster{font-weight:700;paint-order:stroke;stroke:var(--halo);stroke-width:3.5px;\
    stroke-linejoin:round}
    svg .cluster{font-size:15px}
    .legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem .9rem;margin:.4rem 0 0;padding:0;\
    font-size:.83rem;color:var(--soft)}
    .legend li{display:flex;align-items:center;gap:.35rem}
    figure svg.key{width:14px;height:14px;margin:0;flex:none}
    .swatch{width:.8rem;height:.8rem;border-radius:2px;background:var(--training);flex:none}
    .swatch.heldout,.swatch.pool{background:var(--heldout)}
    footer{padding-top:1rem;padding-bottom:2rem;margin-top:2rem;color:var(--soft);font-size:.85rem}
    @media (max-width:70rem){table{font-size:.83rem}th,td{padding:.4rem .45rem}.why{min-width:11rem}}
    @media (max-width:40rem){.facts-list{grid-template-columns:1fr;gap:0}\
    .facts-list dd{margin-bottom:.5rem}h1{font-size:1.7rem}}
    @media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
    @media print{body{background:#fff;font-size:10pt}nav,.tools,.skip{display:none!important}th button{text-decoration:none!important}\
    .scroll{overflow:visible;border:0}header,main,footer{max-width:none;padding:0}\
    figure,.card,tr{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}\
    table{font-size:8pt}th,td{padding:.2rem .35rem}.wide{min-width:0}\
    *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}

    """
}
