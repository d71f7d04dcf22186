/** The page's one style sheet: light and dark, narrow and printed. */
export const STYLE = `:root{color-scheme:light dark;--ground:#fbfbfd;--card:#fff;--ink:#1c2330;--soft:#5c677a;--line:#dfe3ea;--good:#137a3f;--bad:#c0202c;--warn:#b45f06;--on:#fff;
--g0:#2563a8;--g1:#0f766e;--g2:#6d4bb8;--g3:#a8487f;--g4:#8a5a13;--g5:#3f6212}
@media (prefers-color-scheme:dark){:root{--ground:#11151c;--card:#1a2029;--ink:#e6eaf1;--soft:#9aa6b8;--line:#2c3542;--good:#4cc483;--bad:#ff7b7f;--warn:#f0b050;--on:#0d1117;
--g0:#6fa8e8;--g1:#4fc0b3;--g2:#ad93ee;--g3:#e58fc0;--g4:#d9a75a;--g5:#9cc468}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 24px 40px}
header{display:flex;flex-wrap:wrap;gap:8px 20px;align-items:baseline;margin-bottom:18px}
h1{font-size:25px;margin:0;letter-spacing:-.01em}
h2{font-size:17px;margin:0 0 10px}
header p{margin:0;color:var(--soft)}
.verdict{font-weight:700;padding:2px 12px;border-radius:99px;border:2px solid currentColor}
.good{color:var(--good)}.bad{color:var(--bad)}.warning{color:var(--warn)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin-bottom:16px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0 0 16px;padding:0;list-style:none}
.figures li{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
.figures b{display:block;font-size:27px;line-height:1.2;font-variant-numeric:tabular-nums}
.figures span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:13px;padding-bottom:8px}
.list th,.list td{text-align:left;padding:6px 12px 6px 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
.list thead th{border-top:0;color:var(--soft);font-weight:500;font-size:13px}
.chart{table-layout:fixed}
.chart th{width:190px;text-align:left;font-weight:600;padding:3px 14px 3px 0;vertical-align:top;line-height:1.25;overflow-wrap:anywhere}
.chart small{display:block;color:var(--soft);font-weight:400;font-size:11.5px}
.chart td{padding:2px 0;position:relative;border-top:1px solid var(--line)}
svg{display:block;overflow:visible}
svg text{font-size:11.5px;font-weight:700}
.words{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.g0{fill:var(--g0)}.g1{fill:var(--g1)}.g2{fill:var(--g2)}.g3{fill:var(--g3)}.g4{fill:var(--g4)}.g5{fill:var(--g5)}
.on{fill:var(--on)}.held{fill:var(--warn)}.run{fill:var(--soft);opacity:.75}.note{fill:var(--g1)}.failed,.lost{fill:var(--bad);opacity:1}.tried{fill:var(--g0);opacity:.55}
svg .axis{fill:var(--soft);font-weight:400}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--soft);font-size:13px;margin:12px 0 0;padding:0;list-style:none}
.key svg{display:inline-block;vertical-align:-1px;margin-right:6px}
ol{margin:0;padding:0;list-style:none}
ol li{display:grid;grid-template-columns:64px 1fr;gap:10px;padding:3px 0;overflow-wrap:anywhere}
ol time,footer{color:var(--soft)}
footer{font-size:13px;overflow-wrap:anywhere}
@media (max-width:640px){main{padding:16px 12px}section{padding:14px 12px}.chart tr,.chart th,.chart td{display:block;width:auto}.chart th{padding:8px 0 0}.chart td{border-top:0}
.list thead{display:none}.list tr{display:block;border-top:1px solid var(--line);padding:6px 0}.list th,.list td{display:block;border:0;padding:1px 0}.list [data-name]::before{content:attr(data-name) " ";color:var(--soft)}}
@media print{:root{--ground:#fff;--card:#fff}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}section,.figures li{break-inside:avoid}main{max-width:none;padding:0}}
`
