using System.Globalization;
using System.Security;
using System.Text;

namespace Posthorn.Bench.Compare.Report;

/// <summary>The ratios as bars, on a logarithmic scale; a line marks each goal.</summary>
internal static class Chart
{
    private const int Left = 430, Width = 480, RowHeight = 34, Top = 46, Bar = 11;
    private const double Most = 100;

    internal static string Of(IReadOnlyList<RowResult> results)
    {
        int height = Top + results.Count * RowHeight + 16;
        StringBuilder svg = new();
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Width + 70}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Line($"<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Line($"<text x=\"12\" y=\"18\" font-weight=\"bold\">Posthorn against Postfix + Dovecot: how many times better</text>");
        Line($"<rect x=\"{Left}\" y=\"9\" width=\"12\" height=\"10\" fill=\"#2f6f4f\"/><text x=\"{Left + 17}\" y=\"18\">rate, time or size</text>");
        Line($"<rect x=\"{Left + 140}\" y=\"9\" width=\"12\" height=\"10\" fill=\"#c8963e\"/><text x=\"{Left + 157}\" y=\"18\">CPU for each</text>");
        Line($"<line x1=\"{Left + 255}\" x2=\"{Left + 255}\" y1=\"8\" y2=\"20\" stroke=\"#b02020\" stroke-width=\"2\"/><text x=\"{Left + 262}\" y=\"18\">goal</text>");
        foreach (int tick in (int[])[1, 2, 5, 10, 20, 50, 100])
        {
            Line($"<line x1=\"{X(tick)}\" x2=\"{X(tick)}\" y1=\"{Top - 8}\" y2=\"{height - 12}\" stroke=\"#ddd\"/><text x=\"{X(tick)}\" y=\"{Top - 12}\" text-anchor=\"middle\" fill=\"#666\">{tick}</text>");
        }

        for (int i = 0; i < results.Count; i++)
        {
            RowResult r = results[i];
            int y = Top + i * RowHeight;
            Line($"<text x=\"12\" y=\"{y + 16}\">{SecurityElement.Escape(r.Title)}</text>");
            Draw(y + 2, r.Ratio, r.Goal, "#2f6f4f");
            if (r.CpuRatio is { } cpu) Draw(y + 4 + Bar, cpu, r.CpuGoal, "#c8963e");
        }

        Line($"</svg>");
        return svg.ToString();

        void Draw(int y, double ratio, double? goal, string colour)
        {
            double from = Math.Min(X(1), X(ratio)), to = Math.Max(X(1), X(ratio));
            Line($"<rect x=\"{from:F1}\" y=\"{y}\" width=\"{to - from:F1}\" height=\"{Bar}\" fill=\"{colour}\"/><text x=\"{to + 4:F1}\" y=\"{y + 10}\" font-size=\"11\">{Table.Number(ratio)}</text>");
            if (goal is { } g) Line($"<line x1=\"{X(g):F1}\" x2=\"{X(g):F1}\" y1=\"{y - 1}\" y2=\"{y + Bar + 1}\" stroke=\"#b02020\" stroke-width=\"2\"/>");
        }

        void Line(FormattableString text) => svg.AppendLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static double X(double ratio) => Left + Width * (Math.Log(Math.Clamp(ratio, 0.5, Most) / 0.5) / Math.Log(Most / 0.5));
}
