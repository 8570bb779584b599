namespace Espalier.Generator.Planning;

/// <summary>Ids of the diagnostics; docs/diagnostics has a page for each.</summary>
internal static class Ids
{
    public const string PolicyShape = "ESP0001";
    public const string NoModel = "ESP0002";
    public const string NoMatch = "ESP0003";
    public const string OutOfRange = "ESP0004";
    public const string NothingLeft = "ESP0005";
    public const string NothingRemoved = "ESP0006";
    public const string Frozen = "ESP0007";
    public const string Inexact = "ESP0008";
    public const string Disagree = "ESP0009";
    public const string NeedsCalibration = "ESP0010";
    public const string CalibrationShape = "ESP0011";
    public const string OutOfReach = "ESP0012";
    public const string Malformed = "ESP0013";
    public const string RuleShape = "ESP0014";
    public const string DoesNotFit = "ESP0015";
    public const string NothingDecides = "ESP0016";
    public const string NoData = "ESP0017";
    public const string DoesNothing = "ESP0018";
    public const string NameIsTaken = "ESP0019";
    public const string NoTokenizer = "ESP0020";
}
