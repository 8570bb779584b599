using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Calibration.Data;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Runtime.Tests.Data;

/// <summary>Small tokenizers whose merges can be followed by hand.</summary>
public sealed class TokenizerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-tokens-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    private static OnnxModel Model()
    {
        var g = new GraphBuilder();
        g.Input("attention_mask", DataType.Int64, "batch", "sequence");
        return g.Output(g.Node("Identity", g.Input("input_ids", DataType.Int64, "batch", "sequence"))).Build();
    }

    private const string ByteLevel = """{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}""";

    /// <summary>Tokens 0 … in the order of the pieces.</summary>
    private static string Json(string[] pieces, string[] merges, string preTokenizer = ByteLevel, string post = "null",
        string normalizer = "null", string added = "[]")
        => $$"""
            {"version": "1.0", "added_tokens": {{added}}, "normalizer": {{normalizer}}, "pre_tokenizer": {{preTokenizer}},
             "post_processor": {{post}}, "model": {"type": "BPE", "vocab": {{Numbered(pieces)}},
             "merges": {{JsonSerializer.Serialize(merges)}} } }
            """;

    private static string Numbered(string[] pieces)
        => new JsonObject(pieces.Select((p, i) => KeyValuePair.Create(p, (JsonNode?)i))).ToJsonString();

    private static readonly string[] Pieces = ["l", "o", "w", "e", "r", "Ġ", "lo", "low", "Ġlow", "er", "Ã", "©", "<s>", "</s>"];
    private static readonly string[] Merges = ["l o", "lo w", "Ġ low", "e r"];

    private IReadOnlyList<long[]> Encode(string json, string text, string file = "t.txt", int length = 128)
    {
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), json);
        File.WriteAllText(Path.Combine(_folder, file), text);
        var samples = CalibrationData.Read(Path.Combine(_folder, file), Model(), new DataOptions { Length = length });
        Assert.All(samples, s => Assert.Equal(s["input_ids"].Shape, s["attention_mask"].Shape));
        return [.. samples.Select(s => (long[])s["input_ids"].Values)];
    }

    /// <summary>"low", then " lower", which is Ġ l o w e r: l+o, lo+w, Ġ+low, e+r in the order of the merges.</summary>
    [Fact]
    public void Merges_go_by_rank_on_bytes()
    {
        Assert.Equal([7, 8, 9], Encode(Json(Pieces, Merges), "low lower").Single());
        // e+r before lo+w and Ġ+low leaves the same; without l+o there is no low.
        Assert.Equal([0, 1, 2, 5, 0, 1, 2, 9], Encode(Json(Pieces, ["e r"]), "low lower").Single());
        // é is two bytes.
        Assert.Equal([10, 11, 9], Encode(Json(Pieces, Merges), "éer").Single());
    }

    [Fact]
    public void Merges_may_be_pairs_and_the_type_may_be_missing()
    {
        string json = Json(Pieces, Merges).Replace("\"type\": \"BPE\",", "", StringComparison.Ordinal);
        foreach (string merge in Merges)
            json = json.Replace($"\"{merge}\"", JsonSerializer.Serialize(merge.Split(' ')), StringComparison.Ordinal);
        json = json.Replace(JsonSerializer.Serialize("Ġ low"), "[\"Ġ\", \"low\"]", StringComparison.Ordinal);
        Assert.Contains("[\"l\",\"o\"]", json, StringComparison.Ordinal);
        Assert.Equal([7, 8, 9], Encode(json, "low lower").Single());
    }

    [Fact]
    public void A_prefix_space_a_split_and_lower_case_change_the_pieces()
    {
        Assert.Equal([8, 9], Encode(Json(Pieces, Merges, """{"type": "ByteLevel", "add_prefix_space": true}"""), "lower").Single());
        // Split before every "w", isolated: lo, w, er.
        Assert.Equal([6, 2, 9], Encode(Json(Pieces, Merges, """
            {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "w"}, "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "use_regex": false}]}
            """), "lower").Single());
        Assert.Equal([7, 9],
            Encode(Json(Pieces, Merges, normalizer: """{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}"""),
                "LoWEr").Single());
        // Whitespace drops the spaces; not bytes, so no Ġ.
        Assert.Equal([7, 7, 9], Encode(Json(Pieces, Merges, """{"type": "Whitespace"}"""), "low  lower").Single());
    }

    [Fact]
    public void Text_is_cut_into_windows_with_what_the_tokenizer_puts_round_each()
    {
        string post = """
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}}],
             "special_tokens": {"<s>": {"id": "<s>", "ids": [12], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [13], "tokens": ["</s>"]}}}
            """;
        string json = Json(Pieces, Merges, post: post);
        // Seven tokens in windows of two: three, the last token has no window.
        Assert.Equal([[12, 7, 8, 13], [12, 8, 8, 13], [12, 8, 8, 13]], Encode(json, "low low low low low low low", length: 4));
        // Lines of a table: one sample each, cut.
        Assert.Equal([[12, 7, 13], [12, 7, 8, 13]], Encode(json, "0\tlow\n1\tlow low low\n", "t.tsv", length: 4));
        Assert.Equal([[12, 7, 13]],
            Encode(Json(Pieces, Merges, post: """{"type": "RobertaProcessing", "sep": ["</s>", 13], "cls": ["<s>", 12]}"""), "low"));
    }

    [Fact]
    public void Added_tokens_in_the_text_are_one_token()
    {
        string json = Json(Pieces, Merges,
            added: """[{"id": 13, "content": "</s>", "special": true}, {"id": 20, "content": "<mask>", "special": true}]""");
        Assert.Equal([7, 13, 7, 20, 8], Encode(json, "low</s>low<mask> low").Single());
    }

    [Theory]
    [InlineData("wordpiece", "its model is WordPiece")]
    [InlineData("fallback", "byte_fallback is not supported")]
    [InlineData("metaspace", "the pre-tokenizer Metaspace is not supported")]
    [InlineData("replace", "the normalizer Replace is not supported")]
    [InlineData("split", "inverted or MergedWithPrevious")]
    [InlineData("pattern", "cannot be read")]
    [InlineData("merges", "\"merges\" is missing")]
    [InlineData("accents", "NFD")]
    [InlineData("number", "neither an alphabet")]
    [InlineData("room", "have no room")]
    public void What_is_not_supported_is_refused_with_the_file(string which, string reason)
    {
        string json = which switch
        {
            "wordpiece" => Json(Pieces, Merges).Replace("\"BPE\"", "\"WordPiece\"", StringComparison.Ordinal),
            "fallback" => Json(Pieces, Merges).Replace("\"BPE\",", "\"BPE\", \"byte_fallback\": true,", StringComparison.Ordinal),
            "metaspace" => Json(Pieces, Merges, """{"type": "Metaspace"}"""),
            "replace" => Json(Pieces, Merges, normalizer: """{"type": "Replace"}"""),
            "split" => Json(Pieces, Merges, """{"type": "Split", "pattern": {"String": "w"}, "behavior": "MergedWithPrevious"}"""),
            "pattern" => Json(Pieces, Merges, """{"type": "Split", "pattern": {"Regex": "w?+"}, "behavior": "Isolated"}"""),
            "merges" => Json(Pieces, Merges).Replace("\"merges\"", "\"mergers\"", StringComparison.Ordinal),
            "accents" => Json(Pieces, Merges, normalizer: """{"type": "NFD"}"""),
            "room" => Json(Pieces, Merges, post: """{"type": "BertProcessing", "sep": ["</s>", 13], "cls": ["<s>", 12]}"""),
            _ => "3",
        };
        var e = Assert.Throws<EspalierException>(() => Encode(json, which == "accents" ? "lowé" : "low", length: 2));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        if (which is not ("accents" or "room")) Assert.Contains("tokenizer.json", e.Message, StringComparison.Ordinal);
    }
}
