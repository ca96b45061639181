// Made from docs/reference/*.schema.json by `make generate`; do not edit.

/// The schemas of messages that came with this version, each a JSON text.
enum ShippedSchemas {
    static let all: [String] = [
        // agent.started.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.agent.started.v1","$schema":"https://json-schema.org/draft/2020-12/\#
        schema","properties":{"at":{"format":"date-time","type":"string"},"lane":{"type":"string"},"librdkaf\#
        ka":{"type":"string"},"previous":{"description":"SHA-256 of the value of the lane's previous message\#
         on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string"},"rule\#
        s":{"pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"store":{"type":"string"},"version":{"type":"\#
        string"}},"required":["previous","store","lane","version","librdkafka","rules","at"],"title":"The ag\#
        ent began to watch","type":"object"}
        """#,
        // config.applied.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.config.applied.v1","$schema":"https://json-schema.org/draft/2020-12\#
        /schema","properties":{"at":{"format":"date-time","type":"string"},"config":{"pattern":"^sha256:[0-9\#
        a-f]{64}$","type":"string"},"lane":{"type":"string"},"previous":{"description":"SHA-256 of the value\#
         of the lane's previous message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-\#
        f]{64}$","type":"string"},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[\#
        0-9a-f]{64}$","type":"string"},"store":{"type":"string"}},"required":["previous","store","lane","rul\#
        es","config","at"],"title":"A configuration is in force","type":"object"}
        """#,
        // device.attached.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.device.attached.v1","$schema":"https://json-schema.org/draft/2020-1\#
        2/schema","properties":{"at":{"format":"date-time","type":"string"},"class":{"type":"string"},"devic\#
        e":{"description":"The configured role","type":"string"},"lane":{"type":"string"},"port":{"type":"st\#
        ring"},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type\#
        ":"string"},"store":{"type":"string"}},"required":["store","lane","rules","device","port","class","a\#
        t"],"title":"A configured device is there","type":"object"}
        """#,
        // device.detached.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.device.detached.v1","$schema":"https://json-schema.org/draft/2020-1\#
        2/schema","properties":{"at":{"format":"date-time","type":"string"},"class":{"type":"string"},"devic\#
        e":{"description":"The configured role","type":"string"},"lane":{"type":"string"},"port":{"type":"st\#
        ring"},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type\#
        ":"string"},"store":{"type":"string"}},"required":["store","lane","rules","device","port","class","a\#
        t"],"title":"A configured device is gone","type":"object"}
        """#,
        // device.gap.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.device.gap.v1","$schema":"https://json-schema.org/draft/2020-12/sch\#
        ema","properties":{"at":{"format":"date-time","type":"string"},"feed":{"enum":["evdev","hotplug","sc\#
        reen","reach","unit","log","pos","agent","staff"]},"lane":{"type":"string"},"reason":{"type":"string\#
        "},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type":"s\#
        tring"},"store":{"type":"string"},"subject":{"type":"string"}},"required":["store","lane","rules","f\#
        eed","subject","reason","at"],"title":"A feed missed something: what happened in between was not see\#
        n","type":"object"}
        """#,
        // intervention.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.intervention.v1","$schema":"https://json-schema.org/draft/2020-12/s\#
        chema","allOf":[{"if":{"properties":{"state":{"const":"cleared"}}},"then":{"required":["clearedAt","\#
        reason"]}}],"description":"Data of sco.intervention.raised.v1, .updated.v1 and .cleared.v1. Within v\#
        1 no field is removed, retyped or made required.","properties":{"assumed":{"const":true,"description\#
        ":"The state that lasted was not seen all the time: after a long gap it was found as it had been bef\#
        ore"},"category":{"type":"string"},"clearedAt":{"format":"date-time","type":"string"},"evidence":{"i\#
        tems":{"properties":{"at":{"format":"date-time","type":"string"},"attributes":{"additionalProperties\#
        ":{"type":["string","integer"]},"type":"object"},"type":{"type":"string"}},"required":["at","type","\#
        attributes"],"type":"object"},"maxItems":8,"type":"array"},"intervention":{"description":"UUIDv8; th\#
        e same on every retry, restart and replay","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0\#
        -9a-f]{3}-[0-9a-f]{12}$","type":"string"},"key":{"additionalProperties":{"type":"string"},"descripti\#
        on":"The values of the rule's same","type":"object"},"lane":{"type":"string"},"lateBy":{"description\#
        ":"Milliseconds after its deadline that the timer of this very message fired, where it was late","mi\#
        nimum":0,"type":["integer","null"]},"phase":{"description":"The last pos.state; null before the firs\#
        t","type":["string","null"]},"raisedAt":{"format":"date-time","type":"string"},"reason":{"enum":["cl\#
        ear_when","clear_after","answered","state_ended","resync","rule_changed","rule_removed"]},"remoteRes\#
        olvable":{"description":"An attendant can resolve it without walking","type":"boolean"},"repeats":{"\#
        minimum":0,"type":"integer"},"revision":{"minimum":1,"type":"integer"},"rule":{"pattern":"^[A-Za-z0-\#
        9_][A-Za-z0-9_-]*$","type":"string"},"rules":{"pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"se\#
        verity":{"enum":["info","warning","critical"]},"shadow":{"const":true,"description":"A rule in shado\#
        w mode raised it: it calls nobody. Absent otherwise"},"state":{"enum":["raised","updated","cleared"]\#
        },"store":{"type":"string"},"title":{"type":"string"},"view":{"type":"string"}},"required":["interve\#
        ntion","rule","category","severity","title","store","lane","phase","key","state","revision","repeats\#
        ","raisedAt","evidence","remoteResolvable","view","rules","lateBy"],"title":"An intervention: a cust\#
        omer who cannot go on","type":"object"}
        """#,
        // lane.state.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.lane.state.v1","$schema":"https://json-schema.org/draft/2020-12/sch\#
        ema","properties":{"at":{"format":"date-time","type":"string"},"devices":{"additionalProperties":{"t\#
        ype":"boolean"},"description":"Role to whether it is there","type":"object"},"lane":{"type":"string"\#
        },"open":{"items":{"properties":{"intervention":{"type":"string"},"raisedAt":{"format":"date-time","\#
        type":"string"},"rule":{"type":"string"},"severity":{"enum":["info","warning","critical"]}},"require\#
        d":["intervention","rule","severity","raisedAt"],"type":"object"},"type":"array"},"rules":{"pattern"\#
        :"^sha256:[0-9a-f]{64}$","type":"string"},"store":{"type":"string"},"version":{"type":"string"}},"re\#
        quired":["store","lane","at","open","devices","rules","version"],"title":"What the lane is like now"\#
        ,"type":"object"}
        """#,
        // message.discarded.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.message.discarded.v1","$schema":"https://json-schema.org/draft/2020\#
        -12/schema","properties":{"at":{"format":"date-time","type":"string"},"id":{"description":"ce_id of \#
        the message","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$","type":"stri\#
        ng"},"lane":{"type":"string"},"previous":{"description":"SHA-256 of the value of the lane's previous\#
         message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string\#
        "},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type":"s\#
        tring"},"sequence":{"description":"ce_sequence that the message had, and its substitute has","patter\#
        n":"^[0-9]{20}$","type":"string"},"store":{"type":"string"},"topic":{"description":"Where it was to \#
        go","maxLength":249,"minLength":1,"type":"string"},"type":{"description":"ce_type of the message","t\#
        ype":"string"},"uid":{"description":"Who did it: the user's number as the kernel tells it (SO_PEERCR\#
        ED), or that of the process without an agent","minimum":0,"type":"integer"},"user":{"description":"T\#
        he name of that user on the lane, where it has one","type":"string"},"why":{"description":"The reaso\#
        n that was given","maxLength":500,"minLength":3,"type":"string"}},"required":["previous","store","la\#
        ne","rules","id","topic","sequence","type","uid","why","at"],"title":"A message of the quarantine wa\#
        s thrown away","type":"object"}
        """#,
        // message.released.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.message.released.v1","$schema":"https://json-schema.org/draft/2020-\#
        12/schema","properties":{"at":{"format":"date-time","type":"string"},"id":{"description":"ce_id of t\#
        he message","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$","type":"strin\#
        g"},"lane":{"type":"string"},"previous":{"description":"SHA-256 of the value of the lane's previous \#
        message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string"\#
        },"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type":"st\#
        ring"},"sequence":{"description":"ce_sequence that the message had, and its substitute has","pattern\#
        ":"^[0-9]{20}$","type":"string"},"store":{"type":"string"},"topic":{"description":"Where it was to g\#
        o","maxLength":249,"minLength":1,"type":"string"},"type":{"description":"ce_type of the message","ty\#
        pe":"string"},"uid":{"description":"Who did it: the user's number as the kernel tells it (SO_PEERCRE\#
        D), or that of the process without an agent","minimum":0,"type":"integer"},"user":{"description":"Th\#
        e name of that user on the lane, where it has one","type":"string"}},"required":["previous","store",\#
        "lane","rules","id","topic","sequence","type","uid","at"],"title":"A message of the quarantine is se\#
        nt again","type":"object"}
        """#,
        // message.withheld.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.message.withheld.v1","$schema":"https://json-schema.org/draft/2020-\#
        12/schema","properties":{"bytes":{"description":"Of the value of the message","minimum":0,"type":"in\#
        teger"},"id":{"description":"ce_id of the message","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[\#
        0-9a-f]{4}-[0-9a-f]{12}$","type":"string"},"lane":{"type":"string"},"previous":{"description":"On a \#
        chained topic: the link of the message that is withheld","pattern":"^[0-9a-f]{64}$","type":"string"}\#
        ,"reason":{"description":"The broker's error: MSG_SIZE_TOO_LARGE","type":"string"},"rules":{"descrip\#
        tion":"As the message that is withheld has it","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"s\#
        ha256":{"description":"Of the value of the message. On a chained topic the next message's previous i\#
        s this","pattern":"^[0-9a-f]{64}$","type":"string"},"store":{"type":"string"},"withheld":{"descripti\#
        on":"ce_type of the message","type":"string"}},"required":["id","withheld","reason","bytes","sha256"\#
        ],"title":"Stands in the place of a message that no broker takes","type":"object"}
        """#,
        // messages.dropped.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.messages.dropped.v1","$schema":"https://json-schema.org/draft/2020-\#
        12/schema","properties":{"at":{"description":"When they were given up, the last of them","format":"d\#
        ate-time","type":"string"},"count":{"description":"All from first to last, both included","minimum":\#
        1,"type":"integer"},"first":{"description":"ce_sequence of the first message given up","pattern":"^[\#
        0-9]{20}$","type":"string"},"firstKept":{"description":"When the first of them was kept","format":"d\#
        ate-time","type":"string"},"lane":{"type":"string"},"last":{"description":"ce_sequence of the last; \#
        this message has it too","pattern":"^[0-9]{20}$","type":"string"},"lastKept":{"format":"date-time","\#
        type":"string"},"previous":{"description":"On a chained topic: what the first of them named as its p\#
        redecessor","pattern":"^[0-9a-f]{64}$","type":"string"},"reasons":{"additionalProperties":{"minimum"\#
        :1,"type":"integer"},"description":"How many for which reason; together count","minProperties":1,"pr\#
        operties":{"age":{"description":"Older than outbox.max_age","minimum":1,"type":"integer"},"damaged":\#
        {"description":"Not readable any more","minimum":1,"type":"integer"},"full":{"description":"In the w\#
        ay of newer ones past outbox.max_mib","minimum":1,"type":"integer"}},"type":"object"},"sha256":{"des\#
        cription":"Of the last one's value: what the next message of a chained topic names; 64 zeros where i\#
        t was not readable","pattern":"^[0-9a-f]{64}$","type":"string"},"store":{"type":"string"}},"required\#
        ":["store","lane","first","last","count","reasons","firstKept","lastKept","sha256","at"],"title":"Me\#
        ssages of this lane and topic that were given up before they were delivered","type":"object"}
        """#,
        // outbox.replaced.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.outbox.replaced.v1","$schema":"https://json-schema.org/draft/2020-1\#
        2/schema","properties":{"aside":{"description":"Where the former file lies on the lane; null where t\#
        here was none to keep","type":["string","null"]},"at":{"format":"date-time","type":"string"},"cause"\#
        :{"description":"What was found wrong","type":"string"},"checkpoint":{"description":"Whether the rul\#
        es' memory was taken over","type":"boolean"},"epoch":{"description":"The epoch from now on; the form\#
        er one where nothing was lost","minimum":1,"type":"integer"},"formerEpoch":{"description":"The last \#
        epoch known before; 0 where none is","minimum":0,"type":"integer"},"lane":{"type":"string"},"lost":{\#
        "description":"Messages known to be lost; more may be, of topics of which nothing was readable","min\#
        imum":0,"type":"integer"},"previous":{"description":"SHA-256 of the value of the lane's previous mes\#
        sage on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string"},"\#
        rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type":"strin\#
        g"},"salvaged":{"description":"Messages taken over; they are sent under their old sequences","minimu\#
        m":0,"type":"integer"},"store":{"type":"string"}},"required":["previous","store","lane","rules","cau\#
        se","aside","formerEpoch","epoch","salvaged","lost","checkpoint","at"],"title":"The lane's outbox wa\#
        s damaged or taken away, and another stands in its place","type":"object"}
        """#,
        // rules.applied.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.rules.applied.v1","$schema":"https://json-schema.org/draft/2020-12/\#
        schema","properties":{"at":{"format":"date-time","type":"string"},"count":{"minimum":0,"type":"integ\#
        er"},"lane":{"type":"string"},"previous":{"description":"SHA-256 of the value of the lane's previous\#
         message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string\#
        "},"rules":{"pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"store":{"type":"string"}},"required"\#
        :["previous","store","lane","rules","count","at"],"title":"A rule set is in force","type":"object"}
        """#,
        // rules.rolled-back.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.rules.rolled-back.v1","$schema":"https://json-schema.org/draft/2020\#
        -12/schema","properties":{"at":{"format":"date-time","type":"string"},"from":{"description":"Digest \#
        of the set that was rolled back","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"lane":{"type":"\#
        string"},"limit":{"description":"More than so many were too many","minimum":1,"type":"integer"},"pre\#
        vious":{"description":"SHA-256 of the value of the lane's previous message on the topic; 64 zeros fo\#
        r the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string"},"raised":{"description":"Interv\#
        entions that the set raised","minimum":1,"type":"integer"},"rules":{"description":"Digest of the rul\#
        es in force","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"seconds":{"description":"How long i\#
        t was in force","minimum":0,"type":"integer"},"store":{"type":"string"},"to":{"description":"Digest \#
        of the set that is in force again","pattern":"^sha256:[0-9a-f]{64}$","type":"string"}},"required":["\#
        previous","store","lane","rules","from","to","raised","limit","seconds","at"],"title":"A new rule se\#
        t raised far too much and the one before is in force again","type":"object"}
        """#,
        // view.closed.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.view.closed.v1","$schema":"https://json-schema.org/draft/2020-12/sc\#
        hema","properties":{"at":{"format":"date-time","type":"string"},"attendant":{"description":"As the c\#
        redential names them; null for one that names nobody","type":["string","null"]},"by":{"description":\#
        "The user of the lane who ended it","minimum":0,"type":"integer"},"cause":{"description":"closed (by\#
         the viewer), ended (by somebody on the lane, or with the program), intervention_closed, idle, maxim\#
        um, stalled, killed (the program was) and others","maxLength":32,"minLength":1,"type":"string"},"dur\#
        ationMs":{"description":"How long it lasted; null where that is not known: the program was killed","\#
        minimum":0,"type":["integer","null"]},"from":{"description":"The network address, without the port",\#
        "maxLength":64,"minLength":1,"type":"string"},"inputs":{"description":"How many movements, clicks an\#
        d keys reached the lane; never which","minimum":0,"type":["integer","null"]},"intervention":{"descri\#
        ption":"For which it was given; the session ends with it","type":["string","null"]},"lane":{"type":"\#
        string"},"masks":{"description":"Digest of the masks' configuration","pattern":"^sha256:[0-9a-f]{64}\#
        $","type":"string"},"mode":{"description":"What the credential allows","enum":["view","control"]},"p\#
        revious":{"description":"SHA-256 of the value of the lane's previous message on the topic; 64 zeros \#
        for the first of an epoch","pattern":"^[0-9a-f]{64}$","type":"string"},"rules":{"description":"Diges\#
        t of the rules in force","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"session":{"description"\#
        :"The same in all messages of one session, and in those of no other","maxLength":64,"minLength":1,"t\#
        ype":"string"},"store":{"type":"string"},"uid":{"description":"The user that told it, as the kernel \#
        has it (SO_PEERCRED): the view process's","minimum":0,"type":"integer"},"way":{"description":"By whi\#
        ch credential; none: nothing was asked for","enum":["token","code","password","none"]},"why":{"descr\#
        iption":"In words of the one who ended it","maxLength":500,"type":"string"}},"required":["previous",\#
        "store","lane","rules","session","attendant","way","mode","intervention","from","masks","cause","dur\#
        ationMs","inputs","uid","at"],"title":"Somebody sees the lane's screen no more","type":"object"}
        """#,
        // view.control.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.view.control.v1","$schema":"https://json-schema.org/draft/2020-12/s\#
        chema","properties":{"at":{"format":"date-time","type":"string"},"attendant":{"description":"As the \#
        credential names them; null for one that names nobody","type":["string","null"]},"control":{"enum":[\#
        "taken","refused"]},"from":{"description":"The network address, without the port","maxLength":64,"mi\#
        nLength":1,"type":"string"},"intervention":{"description":"For which it was given; the session ends \#
        with it","type":["string","null"]},"lane":{"type":"string"},"masks":{"description":"Digest of the ma\#
        sks' configuration","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"mode":{"description":"What t\#
        he credential allows","enum":["view","control"]},"other":{"description":"The session that had contro\#
        l before, or that has it","type":["string","null"]},"previous":{"description":"SHA-256 of the value \#
        of the lane's previous message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f\#
        ]{64}$","type":"string"},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0\#
        -9a-f]{64}$","type":"string"},"session":{"description":"The same in all messages of one session, and\#
         in those of no other","maxLength":64,"minLength":1,"type":"string"},"store":{"type":"string"},"uid"\#
        :{"description":"The user that told it, as the kernel has it (SO_PEERCRED): the view process's","min\#
        imum":0,"type":"integer"},"way":{"description":"By which credential; none: nothing was asked for","e\#
        num":["token","code","password","none"]}},"required":["previous","store","lane","rules","session","a\#
        ttendant","way","mode","intervention","from","masks","control","other","uid","at"],"title":"Somebody\#
         has the lane's pointer and keys, or wanted them","type":"object"}
        """#,
        // view.opened.v1.schema.json
        #"""
        {"$id":"urn:lanewatch:schema:sco.view.opened.v1","$schema":"https://json-schema.org/draft/2020-12/sc\#
        hema","properties":{"at":{"format":"date-time","type":"string"},"attendant":{"description":"As the c\#
        redential names them; null for one that names nobody","type":["string","null"]},"encrypted":{"type":\#
        "boolean"},"from":{"description":"The network address, without the port","maxLength":64,"minLength":\#
        1,"type":"string"},"intervention":{"description":"For which it was given; the session ends with it",\#
        "type":["string","null"]},"lane":{"type":"string"},"masks":{"description":"Digest of the masks' conf\#
        iguration","pattern":"^sha256:[0-9a-f]{64}$","type":"string"},"mode":{"description":"What the creden\#
        tial allows","enum":["view","control"]},"previous":{"description":"SHA-256 of the value of the lane'\#
        s previous message on the topic; 64 zeros for the first of an epoch","pattern":"^[0-9a-f]{64}$","typ\#
        e":"string"},"rules":{"description":"Digest of the rules in force","pattern":"^sha256:[0-9a-f]{64}$"\#
        ,"type":"string"},"session":{"description":"The same in all messages of one session, and in those of\#
         no other","maxLength":64,"minLength":1,"type":"string"},"store":{"type":"string"},"uid":{"descripti\#
        on":"The user that told it, as the kernel has it (SO_PEERCRED): the view process's","minimum":0,"typ\#
        e":"integer"},"way":{"description":"By which credential; none: nothing was asked for","enum":["token\#
        ","code","password","none"]},"web":{"description":"In a browser's WebSocket; else as RFB over TCP","\#
        type":"boolean"}},"required":["previous","store","lane","rules","session","attendant","way","mode","\#
        intervention","from","masks","encrypted","web","uid","at"],"title":"Somebody sees the lane's screen"\#
        ,"type":"object"}
        """#,
    ]
}
